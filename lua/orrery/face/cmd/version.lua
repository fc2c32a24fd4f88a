-- orrery version
local sys = require("orrery.core.sys")

local version = {}

version.usage = "orrery version"
version.about = "Prints the version."
version.examples = { { "orrery version", "one line, for scripts and bug reports" } }

--- Prints the version.
---@param c table the invocation
---@return integer
function version.main(c)
  c.out("orrery " .. sys.version .. "\n")
  return 0
end

return version
