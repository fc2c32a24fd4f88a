-- From words to flags, with make's and ninja's habits: -j4, -j 4, --jobs=4, -kn, -C DIR.
local errors = require("orrery.kernel.errors")
local lazy = require("orrery.kernel.lazy")
local nearest = lazy("orrery.kernel.nearest")

local args = {}

local function usage(text, hint)
  errors.raise("usage", text, { hint = hint })
end

-- "90s", "1h30m", "30d", or seconds.
local function seconds(text)
  local n = tonumber(text)
  if n then return n > 0 and n or nil end
  local ok, s = pcall(require("orrery.time").parse, text)
  return ok and s or nil
end

local kinds = {
  count = function(text)
    local n = math.tointeger(tonumber(text))
    return n and n >= 1 and n or nil, "a whole number from 1"
  end,
  time = function(text) return seconds(text), "a time such as 90s, 5m or 1h30m" end,
}

local function convert(f, shown, value)
  if f.choices then
    for _, c in ipairs(f.choices) do
      if c == value then return value end
    end
    local near = nearest.hint(value, f.choices)
    usage(("%s: '%s' is none of %s"):format(shown, value, table.concat(f.choices, ", ")), near)
  end
  if not f.kind then return value end
  local v, want = kinds[f.kind](value)
  if v == nil then usage(("%s: '%s' is not %s"):format(shown, value, want)) end
  return v
end

local function keep(opts, name, f, shown, value)
  if value ~= true then value = convert(f, shown, value) end
  if f.many then
    opts[name] = opts[name] or {}
    table.insert(opts[name], value)
  else
    opts[name] = value
  end
end

local function may_omit(f) return f.takes:sub(1, 1) == "[" end

local function next_value(argv, i, f, shown)
  local value = argv[i + 1]
  if value == nil then usage(("%s needs a value: %s %s"):format(shown, shown, f.takes)) end
  return value
end

local function unknown_long(name, set, command)
  local of = command and "orrery " .. command or "orrery"
  local guess = nearest.find(name, set)
  usage(("%s has no flag --%s"):format(of, name), guess and ("did you mean --%s?"):format(guess)
    or ("orrery help%s lists its flags"):format(command and " " .. command or ""))
end

local function long(opts, argv, i, set, command)
  local name, value = argv[i]:match("^%-%-([^=]+)=(.*)$")
  name = name or argv[i]:sub(3)
  local f = set[name]
  if not f then unknown_long(name, set, command) end
  local shown = "--" .. name
  if not f.takes then
    if value then usage(("%s takes no value"):format(shown)) end
    keep(opts, name, f, shown, true)
  elseif value then
    keep(opts, name, f, shown, value)
  elseif may_omit(f) then
    keep(opts, name, f, shown, true)
  else
    keep(opts, name, f, shown, next_value(argv, i, f, shown))
    i = i + 1
  end
  return i
end

local function by_short(set)
  local out = {}
  for name, f in pairs(set) do
    if f.short then out[f.short] = name end
  end
  return out
end

local function unknown_short(c, set, command)
  local name = c:match("^%w$") and require("orrery.face.flags").all
  for long_name, f in pairs(name or {}) do
    if f.short == c and not set[long_name] then
      usage(("orrery %s has no flag -%s (--%s)"):format(command or "", c, long_name))
    end
  end
  usage(("%s has no flag -%s"):format(command and "orrery " .. command or "orrery", c),
    ("orrery help%s lists its flags"):format(command and " " .. command or ""))
end

-- A cluster: switches, then perhaps one flag that takes the rest as its value.
local function short(opts, argv, i, set, command)
  local word, at, names = argv[i], 2, by_short(set)
  while at <= #word do
    local c = word:sub(at, at)
    local name = names[c]
    if not name then unknown_short(c, set, command) end
    local f, shown = set[name], "-" .. c
    at = at + 1
    if not f.takes or (may_omit(f) and word:sub(at, at) ~= "=") then
      keep(opts, name, f, shown, true)
    else
      local value = word:sub(at):gsub("^=", "")
      if at > #word then
        value = next_value(argv, i, f, shown)
        i = i + 1
      end
      keep(opts, name, f, shown, value)
      break
    end
  end
  return i
end

local function is_flag(word) return word:sub(1, 1) == "-" and #word > 1 end

--- Splits a command line into flags, words and what follows "--".
---@param argv string[]
---@param from integer where to begin
---@param set table<string, table> the flags there are, as flags.set makes them
---@param command? string its name, for messages
---@return table opts flags by long name
---@return string[] words
---@return string[]? rest nil without "--"
---@usage args.parse({ "x", "-j4", "--", "a" }, 1, set) --> { jobs = 4 }, { "x" }, { "a" }
function args.parse(argv, from, set, command)
  local opts, words, i = {}, {}, from
  while i <= #argv do
    local word = argv[i]
    if word == "--" then return opts, words, table.move(argv, i + 1, #argv, 1, {}) end
    if not is_flag(word) then
      words[#words + 1] = word
    elseif word:sub(1, 2) == "--" then
      i = long(opts, argv, i, set, command)
    else
      i = short(opts, argv, i, set, command)
    end
    i = i + 1
  end
  return opts, words
end

--- The flags before the command's name (orrery -C dir run), and where the name is.
---@param argv string[]
---@param set table<string, table>
---@return table opts
---@return integer at
function args.leading(argv, set)
  local opts, i = {}, 1
  while argv[i] and is_flag(argv[i]) and argv[i] ~= "--version" do
    i = argv[i]:sub(1, 2) == "--" and long(opts, argv, i, set) or short(opts, argv, i, set)
    i = i + 1
  end
  return opts, i
end

--- Turns { "a=1", "b=2,c=3" } into { a = "1", b = "2,c=3" }; with 'split', commas separate.
---@param list string[]?
---@param flag string for the message
---@param split? boolean
---@return table<string, string>
function args.pairs(list, flag, split)
  local out = {}
  for _, item in ipairs(list or {}) do
    for word in item:gmatch(split and "[^,]+" or ".+") do
      local k, v = word:match("^([^=]+)=(.*)$")
      if not k then usage(("%s %s: write %s NAME=VALUE"):format(flag, word, flag)) end
      out[k] = v
    end
  end
  return out
end

return args
