-- What orrery can be told to do: name, kin, and one line each. The modules are
-- orrery.face.cmd.<name>, loaded when called.
local commands = {}

-- "init" would be the package itself to Lua.
local files = { init = "begin" }

--- In the order of help: { kin, { name, line }… }.
commands.list = {
  { "Run", { "run", "run a workflow, or steps of it" },
    { "watch", "run again whenever what was read changes" },
    { "resume", "go on with a run that did not finish" },
    { "approve", "yes to what a run waits for; reject is no", also = "reject" },
    { "exec", "run one command, remembered by its inputs" } },
  { "Look", { "list", "the workflows and their steps" },
    { "show", "a workflow or step in detail" },
    { "check", "all that can be known before running" },
    { "plan", "what a run would do, and why" },
    { "affected", "the steps that what changed since a base touches" },
    { "graph", "the steps as a tree, for dot or for mermaid" },
    { "env", "the environment of a step, and where it is from" },
    { "schema", "do files fit a JSON Schema, and would it work" } },
  { "Look back", { "explain", "why a step ran" },
    { "log", "what a step wrote" },
    { "runs", "earlier runs" },
    { "artifact", "what runs produced" },
    { "cache", "how much is remembered; prune, verify, clear" } },
  { "Agents", { "agents", "coding rules and journeys of agents' workflows" } },
  { "Lua", { "repl", "an interactive prompt on the same engine" },
    { "eval", "the value of an expression" },
    { "lua", "run a script with the primitives" } },
  { "Set up", { "init", "a first workflow" },
    { "completion", "completion for bash, zsh or fish" },
    { "doctor", "is all in order here?" },
    { "help", "this, or help for a command" },
    { "version", "the version" } },
}

--- The names, in order.
---@return string[]
function commands.names()
  local out = {}
  for _, kin in ipairs(commands.list) do
    for i = 2, #kin do
      out[#out + 1] = kin[i][1]
      out[#out + 1] = kin[i].also
    end
  end
  return out
end

--- A command's module by name; nil when there is none.
---@param name string
---@return table?
function commands.get(name)
  for _, kin in ipairs(commands.list) do
    for i = 2, #kin do
      if kin[i][1] == name or kin[i].also == name then
        return require("orrery.face.cmd." .. (files[name] or name))
      end
    end
  end
end

return commands
