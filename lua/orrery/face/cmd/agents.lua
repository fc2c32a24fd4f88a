-- orrery agents …: what belongs to agents' workflows, a command each.
local agents = {}

agents.usage = "orrery agents rules …"
agents.about = [[
Coding rules, and what else agents' workflows need. Each has its own help: orrery agents rules
--help.]]
agents.examples = { { "orrery agents rules for src/app.ts", "the rules a file calls for" } }

--- The commands beneath, in the order of help: name, and one line.
agents.subs = { { "rules", "coding rules: index, for a file, for a project, audit" } }

--- The module of one.
---@param name string
---@return table?
function agents.get(name)
  for _, sub in ipairs(agents.subs) do
    if sub[1] == name then return require("orrery.face.cmd.agents." .. name) end
  end
end

return agents
