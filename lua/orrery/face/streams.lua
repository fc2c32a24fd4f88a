-- The two streams: stdout is data, stderr is diagnostics. A reader that has gone away
-- (orrery list | head -1) ends the command quietly; what cannot be written for another reason,
-- such as a full disk, is said, and the command did not succeed.
local errors = require("orrery.kernel.errors")
local term = require("orrery.core.term")

local streams = {}

--- Writers for a command.
---@param write? fun(fd: integer, text: string): boolean, string? default: the real ones
---@return { out: fun(text: string), err: fun(text: string), try: (fun(fd: integer,
---  text: string): boolean), trouble?: string } out raises code "pipe" when nobody reads any
---  more, "output" when it cannot be written; the others do not. trouble: why standard output
---  could not be written
function streams.new(write)
  write = write or term.write
  local self = {}
  function self.try(fd, text)
    local ok, why = write(fd, text)
    if not ok and why and fd == 1 then self.trouble = self.trouble or why end
    return ok
  end
  function self.out(text)
    if self.try(1, text) then return end
    if self.trouble then errors.raise("output", "standard output: " .. self.trouble) end
    errors.raise("pipe", "standard output is closed")
  end
  function self.err(text) self.try(2, text) end
  return self
end

return streams
