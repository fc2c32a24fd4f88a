-- Completion at the prompt: names, fields along a path, colon commands.
local complete = {}

local keywords = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function",
  "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until",
  "while" }

local function index_of(v)
  local mt = type(v) == "userdata" and debug.getmetatable(v) or getmetatable(v)
  local index = type(mt) == "table" and rawget(mt, "__index")
  return type(index) == "table" and index or nil
end

-- A field as a path names it, without calling anything but plain indexing.
local function field(v, name)
  if type(v) ~= "table" then
    local index = index_of(v)
    return index and index[name]
  end
  local own = rawget(v, name)
  if own ~= nil then return own end
  local index = index_of(v)
  return index and field(index, name)
end

local function add_keys(into, v, prefix, calls)
  local depth = 0
  while v ~= nil and depth < 8 do
    if type(v) == "table" then
      for k, one in next, v do
        if type(k) == "string" and k:sub(1, #prefix) == prefix and k:find("^[%a_][%w_]*$")
          and (not calls or type(one) == "function") then
          into[k] = true
        end
      end
    end
    v, depth = index_of(v), depth + 1
  end
end

local function walk(env, path)
  local v = env[path:match("^[%a_][%w_]*")]
  for name in path:gsub("^[%a_][%w_]*", ""):gmatch("[%.:]([%a_][%w_]*)") do
    if v == nil then return nil end
    v = field(v, name)
  end
  return v
end

local function list_of(set)
  local out = {}
  for name in pairs(set) do out[#out + 1] = name end
  table.sort(out)
  return out
end

local function names(env, prefix)
  local set = {}
  add_keys(set, env, prefix)
  add_keys(set, _G, prefix)
  for _, list in ipairs({ keywords }) do
    for _, word in ipairs(list) do
      if word:sub(1, #prefix) == prefix then set[word] = true end
    end
  end
  for name in pairs(require("orrery.face.repl.scope").modules()) do
    if name:sub(1, #prefix) == prefix then set[name] = true end
  end
  return set
end

--- Candidates for the word that ends after `pos` bytes of `text`.
---@param env table the prompt's environment
---@param commands string[] colon commands
---@param text string
---@param pos integer
---@return string[] candidates
---@return integer begin where the word begins
function complete.at(env, commands, text, pos)
  local before = text:sub(1, pos)
  local command = before:match("^:([%w_]*)$")
  if command then
    local set = {}
    for _, name in ipairs(commands) do
      if name:sub(1, #command) == command then set[name] = true end
    end
    return list_of(set), 2
  end
  local path = before:match("[%a_][%w_%.:]*$") or ""
  local parent, sep, last = path:match("^(.*)([%.:])([%w_]*)$")
  if not parent then return list_of(names(env, path)), pos - #path + 1 end
  local set = {}
  local v = walk(env, parent)
  if v ~= nil then add_keys(set, type(v) == "string" and string or v, last, sep == ":") end
  return list_of(set), pos - #last + 1
end

return complete
