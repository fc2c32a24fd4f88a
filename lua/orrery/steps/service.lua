-- The kind `service`: a command that runs while steps that need it do. What it is; its life
-- is in run.services.
local run = require("orrery.steps.run")
local template = require("orrery.model.template")

local service = {}

--- The default question of a service that was given a port: does anybody accept there?
local ACCEPTS = { tcp = "{{port}}", every = 0.5, timeout = 60 }

-- Is the port in what it is started with?
local function has_port(v, depth)
  if type(v) == "string" then return v:find("{{port}}", 1, true) ~= nil end
  if type(v) ~= "table" or depth > 4 then return false end
  for _, item in next, v do
    if has_port(item, depth + 1) then return true end
  end
  return false
end

--- The parts of the key: the command. How it becomes ready and how it is stopped are not.
---@param step orrery.Step
---@param ctx table with "{{port}}" for the port, which is chosen later
---@return table parts
---@return table prepared
function service.prepare(_, step, ctx)
  local argv, shown, direct = run.command(step, ctx)
  local parts = { command = direct and argv or shown }
  if not direct then parts.shell = step.shell or "sh" end
  local prepared = { argv = argv, shown = shown, program = direct and argv[1] or nil }
  prepared.port = has_port({ argv, ctx.env }, 1)
  local ready = step.ready or prepared.port and ACCEPTS
  if ready then
    prepared.ready = template.deep(ready, ctx)
    prepared.port = prepared.port or has_port(prepared.ready, 1)
    if ready.run then
      prepared.asks, prepared.asks_shown = run.command({ action = ready.run, shell = step.shell },
        ctx)
    end
  end
  return parts, prepared
end

return service
