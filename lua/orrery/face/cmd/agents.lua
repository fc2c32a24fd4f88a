-- orrery agents …: what belongs to agents' workflows, a command each.
local agents = {}

agents.usage = "orrery agents convert|journey|rules|skill …"
agents.about = [[
What workflows of agents need besides themselves. Each has its own help: orrery agents rules
--help.]]
agents.examples = { { "orrery agents rules for src/app.ts", "the rules a file calls for" },
  { "orrery agents journey list", "what people do here" } }

--- The commands beneath, in the order of help: name, and one line.
agents.subs = { { "convert", "a workflow of the agent dialect as Lua" },
  { "journey", "what people do with workflows and skills: list, check, run" },
  { "rules", "coding rules: index, for a file, for a project, audit" },
  { "skill", "named units of work: list, run" } }

--- The module of one.
---@param name string
---@return table?
function agents.get(name)
  for _, sub in ipairs(agents.subs) do
    if sub[1] == name then return require("orrery.face.cmd.agents." .. name) end
  end
end

return agents
