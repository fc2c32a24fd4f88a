-- Before anything runs: what steps give to skills, as far as it is written down, against what
-- the skills ask for; and the variables that endpoints of agents take their keys from.
local environ = require("orrery.run.keys.environ")
local executors = require("orrery.run.agents.executors")
local skills = require("orrery.run.agents.skills")

local usecheck = {}

-- Is all of it known now: no template, no function?
local function is_written(v)
  if type(v) == "string" then return not v:find("{{", 1, true) end
  if type(v) ~= "table" then return type(v) ~= "function" end
  for _, one in next, v do
    if not is_written(one) then return false end
  end
  return true
end

local function misfit(wf, step)
  local with = step.with or {}
  if step.agent_io or not is_written(step.action) or not is_written(with)
    or not skills.find(wf.root, step.action) then return nil end
  return skills.misfit(skills.get(wf.root, step.action), "params", with, wf.root)
end

-- The endpoint of a role whose key is in a variable that is not there.
local function unset(conf, role, env)
  local found = is_written(role) and executors.find({ opts = {}, config = conf }, role)
  local http = found and found.http
  return http and http.key and (env[http.key] or "") == "" and http or nil
end

-- Once for each variable, at the first step that needs it.
local function keys(wf, conf, messages)
  local env, said, asked = environ.process(), {}, {}
  for _, step in ipairs(wf.steps) do
    local role = step.kind == "agent" and step.action
    local http = role and not asked[role] and unset(conf, role, env)
    if http and not said[http.key] then
      messages[#messages + 1] = { level = "note", place = step.place,
        text = ("the key for %s is in %s, which is not set here"):format(http.base_url, http.key),
        hint = ("export %s=…"):format(http.key) }
    end
    asked[role or ""] = true
    if http then said[http.key] = true end
  end
end

--- Adds an error for each skill that would refuse its params, and a note for each variable that
--- is not set and holds the key of an agent. Raises what skills.get does of a broken skill.
---@param wf orrery.Workflow
---@param conf orrery.Config
---@param messages orrery.Message[]
function usecheck.of(wf, conf, messages)
  for _, step in ipairs(wf.steps) do
    local bad = step.kind == "skill" and misfit(wf, step)
    if bad then
      messages[#messages + 1] = { level = "error", place = step.place,
        text = ("%s: %s"):format(step.member_of or step.id, bad.message) }
    end
  end
  keys(wf, conf, messages)
end

return usecheck
