-- Flags: one table says them all; make and ninja habits (-j4, -j 4, --jobs=4, -kn).
local errors = require("orrery.kernel.errors")
local nearest = require("orrery.kernel.nearest")

local args = {}

-- name = { short, takes, many, help }: takes nil: a switch; "N": needs a value; "[N]": may
-- have one, only with "=". many: collects into a list.
args.flags = {
  jobs = { short = "j", takes = "N", help = "run N steps at once (default: processors)" },
  ["keep-going"] = { short = "k", help = "go on with what does not need a failed step" },
  ["dry-run"] = { short = "n", help = "say what would run, run nothing (= plan)" },
  directory = { short = "C", takes = "DIR", help = "change to DIR first" },
  param = { short = "p", takes = "K=V", many = true, help = "set a param" },
  quiet = { short = "q", help = "say only what failed" },
  verbose = { short = "v", help = "say more: commands, metadata" },
  yes = { short = "y", takes = "[STEP]", many = true, help = "approve without asking" },
  only = { help = "the named steps without what they need" },
  from = { takes = "STEP", help = "this step and what depends on it" },
  force = { takes = "[STEP]", many = true, help = "run again, all or the named (globs)" },
  cache = { takes = "MODE", choices = { "rw", "ro", "wo", "off" }, help = "rw, ro, wo or off" },
  affected = { takes = "[BASE]", help = "steps touched by changes since BASE" },
  agent = { takes = "NAME=CMD", many = true, help = "what executes an agent role; * for all" },
  timeout = { takes = "TIME", help = "end the run after TIME (exit 124)" },
  budget = { takes = "K=V", many = true, help = "usd=5, tokens=1e6, time=1h, steps=100" },
  resources = { takes = "K=V", many = true, help = "capacities: gpu=2,mem=200G" },
  json = { help = "one result document on stdout" },
  events = { takes = "FILE", help = "the journal as it grows, to FILE or - for stdout" },
  junit = { takes = "FILE", help = "a JUnit report" },
  trace = { takes = "FILE", help = "a Chrome trace of the run" },
  report = { takes = "FILE", help = "an HTML report" },
  summary = { takes = "FILE", help = "a Markdown summary, appended" },
  output = { takes = "HOW", choices = { "auto", "live", "group", "prefix", "errors", "quiet" },
    help = "how step output is shown" },
  timestamps = { help = "put the time before each line" },
  color = { takes = "[WHEN]", choices = { "auto", "always", "never" }, help = "when to color" },
  strict = { help = "warnings of the check are errors" },
  ["sequential-fallback"] = { help = "run a group whose members need each other in order" },
  format = { takes = "F", help = "output format" },
  against = { takes = "RUN", help = "compare with that run" },
  ["exit-code"] = { help = "exit 10 when there is work" },
  shard = { takes = "I/N", help = "the I-th of N shares of the steps" },
  ["in"] = { takes = "GLOB", many = true, help = "an input" },
  out = { takes = "PATH", many = true, help = "an output" },
  run = { takes = "RUN", help = "a run: its id, a prefix, or last" },
  by = { takes = "NAME", help = "who decides" },
  reason = { takes = "TEXT", help = "why" },
  help = { short = "h", help = "help for the command" },
}

local by_short = {}
for name, f in pairs(args.flags) do
  if f.short then by_short[f.short] = name end
end

local function usage(text, hint)
  errors.raise("usage", text, { hint = hint })
end

local function keep(opts, name, value)
  local f = args.flags[name]
  if f.choices and value ~= true then
    local ok = false
    for _, c in ipairs(f.choices) do ok = ok or c == value end
    if not ok then
      usage(("--%s=%s: must be one of %s"):format(name, value, table.concat(f.choices, ", ")))
    end
  end
  if f.many then
    opts[name] = opts[name] or {}
    table.insert(opts[name], value)
  else
    opts[name] = value
  end
end

local function long(opts, argv, i)
  local name, value = argv[i]:match("^%-%-([^=]+)=(.*)$")
  name = name or argv[i]:sub(3)
  local f = args.flags[name]
  if not f then
    local guess = nearest.find(name, args.flags)
    usage(("unknown flag --%s"):format(name), guess and ("did you mean --%s?"):format(guess))
  end
  if not f.takes then
    if value then usage(("--%s takes no value"):format(name)) end
    keep(opts, name, true)
  elseif value then
    keep(opts, name, value)
  elseif f.takes:sub(1, 1) == "[" then
    keep(opts, name, true)
  else
    i = i + 1
    if argv[i] == nil then usage(("--%s needs a value: --%s %s"):format(name, name, f.takes)) end
    keep(opts, name, argv[i])
  end
  return i
end

local function short(opts, argv, i)
  local word, at = argv[i], 2
  while at <= #word do
    local c = word:sub(at, at)
    local name = by_short[c]
    if not name then usage(("unknown flag -%s"):format(c), "orrery help lists the flags") end
    local f = args.flags[name]
    at = at + 1
    if f.takes then
      local value = word:sub(at):gsub("^=", "")
      if value == "" and f.takes:sub(1, 1) ~= "[" then
        i = i + 1
        value = argv[i]
        if value == nil then usage(("-%s needs a value: -%s %s"):format(c, c, f.takes)) end
      end
      keep(opts, name, value ~= "" and value or true)
      break
    end
    keep(opts, name, true)
  end
  return i
end

--- Splits a command line into flags, words and what follows "--".
---@param argv string[]
---@param from? integer where to begin; default 1
---@return table opts flags by long name
---@return string[] words
---@return string[]? rest nil without "--"
---@usage args.parse({ "run", "-j4", "x", "--", "a" }) --> { jobs = "4" }, { "run", "x" }, { "a" }
function args.parse(argv, from)
  local opts, words, i = {}, {}, from or 1
  while i <= #argv do
    local word = argv[i]
    if word == "--" then return opts, words, table.move(argv, i + 1, #argv, 1, {}) end
    if word:sub(1, 2) == "--" then
      i = long(opts, argv, i)
    elseif word:sub(1, 1) == "-" and #word > 1 then
      i = short(opts, argv, i)
    else
      words[#words + 1] = word
    end
    i = i + 1
  end
  return opts, words
end

--- Turns { "a=1", "b=2" } into { a = "1", b = "2" }; commas separate too when 'split'.
---@param list string[]?
---@param flag string for the message
---@param split? boolean
---@return table<string, string>
function args.pairs(list, flag, split)
  local out = {}
  for _, item in ipairs(list or {}) do
    for word in (split and item or item:gsub(",", "\0")):gmatch("[^,]+") do
      word = word:gsub("%z", ",")
      local k, v = word:match("^([^=]+)=(.*)$")
      if not k then usage(("%s %s: write NAME=VALUE"):format(flag, word)) end
      out[k] = v
    end
  end
  return out
end

return args
