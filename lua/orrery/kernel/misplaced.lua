-- Why a wait is impossible here: inside a C function that cannot suspend (gsub,
-- sort, tostring), or in a coroutine that is no task. Names the culprit and the cure.
local errors = require("orrery.kernel.errors")

local misplaced = {}

local CURES = {
  ["string.gsub"] = "collect the matches first, then loop",
  ["table.sort"] = "compute what is compared first, then sort",
  ["tostring"] = "compute the text first",
  ["print"] = "compute the text first",
  ["require"] = "do it after the module is loaded",
  ["coroutine.wrap"] = "call it from the body itself, or use w:parallel",
}

-- Calls through these can suspend.
local function is_open(f)
  return f == pcall or f == xpcall or f == error or f == select
end

local function function_name(f, guess)
  for module, members in pairs(package.loaded) do
    if type(members) == "table" and type(module) == "string" and module ~= "_G" then
      for name, value in pairs(members) do
        if value == f and type(name) == "string" then return module .. "." .. name end
      end
    end
  end
  for name, value in pairs(_G) do
    if value == f then return name end
  end
  return guess or "a C function"
end

-- Embedded chunks are named "@orrery/kernel/loop.lua"; from the source tree, by full path.
local function is_ours(source)
  return source:find("^@orrery[./]") or source:find("/orrery/%l+/[%l_]+%.lua$")
end

-- The first C function that cannot suspend, and the first line of foreign Lua.
local function look(level)
  local culprit, place
  while true do
    local info = debug.getinfo(level, "Slnf")
    if not info then return culprit, place end
    if info.what == "C" then
      if not culprit and not is_open(info.func) then
        culprit = function_name(info.func, info.name)
      end
    elseif not place and not is_ours(info.source) then
      place = { file = info.short_src, line = info.currentline }
    end
    level = level + 1
  end
end

--- Raises code "misplaced": "w:run inside string.gsub; collect the matches first, then loop".
---@param what string what was called
---@param in_task boolean is the running coroutine a task?
function misplaced.raise(what, in_task)
  local _, main = coroutine.running()
  local culprit, place = look(3)
  if not in_task and not main then culprit = "coroutine.wrap" end
  local text = what .. " outside a task of the run"
  if culprit and not main then
    text = ("%s inside %s; %s"):format(what, culprit,
      CURES[culprit] or "do it outside that call")
  end
  local where = place and ("%s:%d: "):format(place.file, place.line) or ""
  errors.raise("misplaced", where .. text, { place = place })
end

return misplaced
