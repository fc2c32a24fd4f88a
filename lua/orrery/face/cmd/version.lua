-- orrery version
local sys = require("orrery.core.sys")

local version = {}

version.help = { usage = "orrery version", text = "Prints the version.",
  examples = { "orrery version" } }

--- Prints the version.
function version.main(_, _, _, out)
  out(1, "orrery " .. sys.version .. "\n")
  return 0
end

return version
