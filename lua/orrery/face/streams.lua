-- The two streams: stdout is data, stderr is diagnostics. A reader that has gone away
-- (orrery list | head -1) ends the command quietly.
local errors = require("orrery.kernel.errors")
local term = require("orrery.core.term")

local streams = {}

--- Writers for a command.
---@param write? fun(fd: integer, text: string): boolean default: the real ones
---@return { out: fun(text: string), err: fun(text: string), try: fun(fd: integer,
---  text: string): boolean } out raises code "pipe" when nobody reads any more; the others
---  do not
function streams.new(write)
  write = write or term.write
  return {
    out = function(text)
      if not write(1, text) then errors.raise("pipe", "standard output is closed") end
    end,
    err = function(text) write(2, text) end,
    try = write,
  }
end

return streams
