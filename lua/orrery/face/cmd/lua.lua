-- orrery lua SCRIPT [ARGS]: runs a script with the primitives.
local errors = require("orrery.kernel.errors")

local lua = {}

lua.help = { usage = "orrery lua SCRIPT [ARGS…]",
  text = "Runs a Lua script with Orrery's primitives.",
  examples = { "orrery lua count.lua src", "orrery lua /usr/bin/busted tests" } }

--- Runs a script; flags after its name are the script's.
---@param argv string[]
function lua.raw(argv)
  local path = argv[2]
  if not path then errors.raise("usage", "lua needs a script: orrery lua FILE [ARGS…]") end
  local chunk, why = loadfile(path, "t")
  if not chunk then errors.raise("script", why) end
  arg = table.move(argv, 3, #argv, 1, { [0] = path })
  local ok, e = xpcall(chunk, function(e)
    return errors.is(e) and e or debug.traceback(tostring(e), 2)
  end, table.unpack(arg))
  if ok then return 0 end
  errors.raise("script", errors.text(e))
end

return lua
