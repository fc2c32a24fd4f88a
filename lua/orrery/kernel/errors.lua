-- Error values: a table with a code for programs and a message for people, the shape
-- the C side returns too. An invalid workflow carries a list of messages with places.
local errors = {}

local Error = { __name = "orrery.error" }

local function place_text(place)
  if not place or not place.file then return "" end
  local s = place.file
  if place.line then s = s .. ":" .. place.line end
  if place.line and place.column then s = s .. ":" .. place.column end
  return s .. ": "
end

--- One message as one line: "site.lua:4: error: unknown field 'input'; did you mean 'inputs'?"
---@param m orrery.Message
---@return string
function errors.line(m)
  local s = place_text(m.place) .. (m.level or "error") .. ": " .. m.text
  return m.hint and s .. "; " .. m.hint or s
end

--- What went wrong, for people: one line, or a line for each message.
--- errors.text({ code = "ENOENT", message = "open x: no such file" }) --> "open x: no such file"
---@param v any any error value
---@return string
function errors.text(v)
  if type(v) ~= "table" then return tostring(v) end
  local messages = rawget(v, "messages")
  if type(messages) == "table" and #messages > 0 then
    local lines = {}
    for i, m in ipairs(messages) do lines[i] = errors.line(m) end
    return table.concat(lines, "\n")
  end
  local message = rawget(v, "message")
  if message ~= nil then return tostring(message) end
  local mt = getmetatable(v)
  return mt == Error and "unknown error" or tostring(v)
end

Error.__tostring = errors.text

--- Makes an error value; the fields of `more` are added to it.
---@param code string
---@param message string
---@param more? table
---@return table
function errors.new(code, message, more)
  local e = { code = code, message = message }
  for k, v in pairs(more or {}) do e[k] = v end
  return setmetatable(e, Error)
end

--- Is it an error value: made here, or by the C side?
---@param v any
---@return boolean
function errors.is(v)
  if type(v) ~= "table" then return false end
  return getmetatable(v) == Error
    or (type(rawget(v, "code")) == "string" and type(rawget(v, "message")) == "string")
end

--- Raises an error value: errors.raise("usage", "unknown workflow 'x'").
---@param code string
---@param message string
---@param more? table
function errors.raise(code, message, more)
  error(errors.new(code, message, more), 0)
end

--- The value of a function that gives nil and an error when it fails; raises that error. A nil
--- alone is an answer: there is nothing.
---@generic T
---@param value T?
---@param err any
---@return T?
function errors.must(value, err)
  if value == nil and err ~= nil then error(err, 0) end
  return value
end

--- Raises code "invalid" with all that is wrong; its message is the lines together.
---@param messages orrery.Message[]
function errors.invalid(messages)
  local e = errors.new("invalid", "", { messages = messages })
  e.message = errors.text(e)
  error(e, 0)
end

return errors
