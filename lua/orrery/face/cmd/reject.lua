-- orrery reject [RUN] [STEP]: no to a question of a run.
local approve = require("orrery.face.cmd.approve")

local reject = {}

reject.usage = "orrery reject [RUN] [STEP]"
reject.about = [[
Rejects what a run waits for: orrery resume then fails the step (exit 4), leaves out what needs
it, and runs the finally steps. RUN and STEP are as for orrery approve.]]
reject.flags = { "by", "reason" }
reject.examples = { { "orrery reject 7f3c ship --reason 'not on a Friday'", "of that run" } }

--- Rejects.
---@param c table the invocation
---@return integer
function reject.main(c) return approve.decide(c, "rejected") end

return reject
