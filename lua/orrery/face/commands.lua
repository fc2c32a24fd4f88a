-- What orrery can be told to do: name, kin, and one line each. The modules are
-- orrery.face.cmd.<name>, loaded when called.
local commands = {}

--- In the order of help: { kin, { name, line }… }.
commands.list = {
  { "Run", { "run", "run a workflow, or steps of it" } },
  { "Look", { "list", "the workflows and their steps" },
    { "check", "all that can be known before running" },
    { "plan", "what a run would do, and why" } },
  { "Lua",
    { "lua", "run a script with the primitives" } },
  { "Set up",
    { "help", "this, or help for a command" },
    { "version", "the version" } },
}

--- The names, in order.
---@return string[]
function commands.names()
  local out = {}
  for _, kin in ipairs(commands.list) do
    for i = 2, #kin do out[#out + 1] = kin[i][1] end
  end
  return out
end

--- A command's module by name; nil when there is none.
---@param name string
---@return table?
function commands.get(name)
  for _, kin in ipairs(commands.list) do
    for i = 2, #kin do
      if kin[i][1] == name then return require("orrery.face.cmd." .. name) end
    end
  end
end

return commands
