-- w:service: a service that a body holds while a variable of it does.
--
--   local db <close> = w:service("db", { service = "./server {{port}}" })
--
-- It starts when a call made meanwhile really runs, and ends with the variable. db.port stands
-- for its port in what calls are given: "{{services.db.port}}", which is in their keys.
local errors = require("orrery.kernel.errors")
local fill = require("orrery.run.services.fill")
local loop = require("orrery.kernel.loop")
local services = require("orrery.run.services")

local body_service = {}

local Held = { __name = "orrery.service" }
Held.__index = Held

local function let_go(h)
  local held = h.held
  for i = #held, 1, -1 do
    if held[i] == h.service then table.remove(held, i) end
  end
  loop.shielded(services.let_go, h.run, h.service)
end

Held.__close = let_go

--- Ends it before its variable does.
function Held:close() let_go(self) end

--- The id and fields of w:service(id, { service = cmd, … }) or w:service(cmd, { … }).
---@param first string|table
---@param t? table
---@param word fun(cmd: any): string a short name of a command
---@return string id
---@return table fields
function body_service.fields(first, t, word)
  local fields = {}
  for k, v in pairs(t or {}) do fields[k] = v end
  if fields.service ~= nil and type(first) == "string" then return first, fields end
  local id = fields.id or "service:" .. word(first)
  fields.id, fields.service = nil, first
  return id, fields
end

--- What the body is given for a service that was offered.
---@param run orrery.Run
---@param held orrery.Service[] those the body holds
---@param id string
---@return table
function body_service.hold(run, held, id)
  local s = services.of(run, id)
  if not s then errors.raise("service", ("service '%s' is not there"):format(id)) end
  held[#held + 1] = s
  return setmetatable({ id = id, port = fill.port_of(s.id), run = run, held = held,
    service = s }, Held)
end

--- What a call made now uses; nil when nothing is held.
---@param held orrery.Service[]
---@param around? orrery.Service[] what the step of the body uses
---@return orrery.Service[]?
function body_service.lent(held, around)
  if #held == 0 then return around end
  local out = table.move(around or {}, 1, #(around or {}), 1, {})
  return table.move(held, 1, #held, #out + 1, out)
end

return body_service
