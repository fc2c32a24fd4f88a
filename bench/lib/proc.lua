-- Processes, timed: wall, CPU and peak memory of a command and all it waited for.
local core = require("orrery.core.loop")
local proc = require("orrery.core.proc")

local M = {}

--- Runs a command to its end. `rss` is the largest of its processes, but never less than
--- ours: a child begins as a copy of us, and the kernel counts that.
---@param argv string[]
---@param opts? { cwd?: string, env?: string[], fails?: boolean }
---@return { wall: number, cpu: number, rss: integer, stdout: string, stderr: string }
function M.run(argv, opts)
  opts = opts or {}
  local loop = assert(core.new())
  local child = assert(loop:spawn({ argv = argv, cwd = opts.cwd, env = opts.env }))
  while true do
    for _, e in ipairs(loop:wait()) do
      if e.kind == "exit" and e.id == child.id then
        loop:close()
        if e.code ~= 0 and not opts.fails then
          error(("%s: exit %d\n%s%s"):format(table.concat(argv, " "), e.code, e.stdout, e.stderr))
        end
        return e
      end
    end
  end
end

--- The path of a program, or nil.
---@param name string
---@return string?
function M.which(name)
  return proc.which(name)
end

return M
