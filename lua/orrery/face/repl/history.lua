-- What was typed in earlier sessions: one line each, appended as it is typed, so that two
-- sessions side by side lose nothing.
local fs = require("orrery.core.fs")

local history = {}
local History = {}
History.__index = History

local MOST = 2000

--- Where it is kept: $XDG_STATE_HOME/orrery/history.
---@return string?
function history.path()
  local state, home = os.getenv("XDG_STATE_HOME"), os.getenv("HOME")
  if state and state:sub(1, 1) == "/" then return state .. "/orrery/history" end
  return home and home ~= "" and home .. "/.local/state/orrery/history" or nil
end

--- Opens a history; one that cannot be written is kept in memory.
---@param path string?
---@return orrery.History_lines
function history.open(path)
  local lines = {}
  for l in (path and fs.read(path) or ""):gmatch("[^\n]+") do lines[#lines + 1] = l end
  if #lines > MOST then
    lines = table.move(lines, #lines - MOST // 2, #lines, 1, {})
    fs.write_atomic(path, table.concat(lines, "\n") .. "\n", { mode = 384 })
  end
  return setmetatable({ lines = lines, path = path }, History)
end

--- Keeps a line, unless it is empty or the one before again.
---@param text string
function History:add(text)
  text = text:gsub("\n", " ")
  if not text:find("%S") or text == self.lines[#self.lines] then return false end
  self.lines[#self.lines + 1] = text
  if not self.path then return true end
  if not fs.stat(self.path) then
    fs.mkdir(self.path:match("^(.*)/"))
    fs.write_atomic(self.path, "", { mode = 384 })
  end
  fs.append(self.path, text .. "\n")
  return true
end

return history
