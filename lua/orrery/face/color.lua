-- Colors, when the terminal and the user want them.
local term = require("orrery.core.term")

local color = {}

local codes = { red = "31", green = "32", yellow = "33", dim = "2", bold = "1",
  cyan = "36" }

--- A painter: paint("red", text). A flag is never overruled by tty or environment.
---@param flag string|true|nil --color
---@param fd integer where the text goes
---@return fun(name: string, text: string): string
function color.painter(flag, fd)
  local on
  local function env(name) return os.getenv(name) or "" end
  if flag == true or flag == "always" then
    on = true
  elseif flag == "never" then
    on = false
  elseif env("NO_COLOR") ~= "" then
    on = false
  elseif env("CLICOLOR_FORCE") ~= "" and env("CLICOLOR_FORCE") ~= "0" then
    on = true
  else
    on = term.is_tty(fd) and env("TERM") ~= "dumb"
  end
  if not on then return function(_, text) return text end end
  return function(name, text) return "\27[" .. codes[name] .. "m" .. text .. "\27[0m" end
end

return color
