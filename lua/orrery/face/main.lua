-- The command line's entry: argv in, exit code out.
local sys = require("orrery.core.sys")

--- Runs one command line.
---@param argv string[] argv[0] is the program
---@return integer exit code
local function main(argv)
  if argv[1] == "version" or argv[1] == "--version" then
    print("orrery " .. sys.version)
    return 0
  end
  if argv[1] == "lua" then
    arg = table.move(argv, 3, #argv, 1, { [0] = argv[2] })
    local chunk = assert(loadfile(argv[2]))
    chunk(table.unpack(arg))
    return 0
  end
  io.stderr:write("orrery: error: unknown command\n")
  return 2
end

return main
