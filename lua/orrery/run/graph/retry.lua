-- Retry: which failures deserve another try, and how long to wait before it.
local retry = {}

-- Who asks for more seconds than this, or than max_delay where that is more, says no.
local PATIENCE = 900

-- Does an error fall under one word of retry.on?
local function matches(word, err, outcome)
  local kind, arg = word:match("^(%w+):(.*)$")
  if kind == "exit" then return outcome.exit == math.tointeger(tonumber(arg)) end
  if kind == "signal" then return outcome.signal == arg:gsub("^SIG", "") end
  if kind == "match" then
    local text = { outcome.stdout or "", outcome.stderr or "", err.message }
    return table.concat(text, "\n"):find(arg, 1, true) ~= nil
  end
  if word == "signal" then return outcome.signal ~= nil end
  return err.class == word or err.class:match("^[^:]+") == word
end

--- Is another try due after this failure?
---@param spec orrery.Retry?
---@param attempt integer the try that failed
---@param outcome { exit?: integer, signal?: string, stdout?: string, error: table }
---@return boolean
function retry.due(spec, attempt, outcome)
  if not spec or attempt >= spec.attempts then return false end
  local err = outcome.error
  if err.final or err.class == "cancelled" or err.class == "budget" then return false end
  if (err.retry_after or 0) > math.max(PATIENCE, spec.max_delay or 0) then return false end
  if not spec.on then return true end
  for _, word in ipairs(spec.on) do
    if matches(word, err, outcome) then return true end
  end
  return false
end

-- How many times the first delay the next one is: "linear", or a factor from try to try.
local function growth(backoff, attempt)
  return backoff == "linear" and attempt or backoff ^ (attempt - 1)
end

--- Seconds to wait before the next try.
---@param spec orrery.Retry
---@param attempt integer the try that failed, from 1
---@param random? fun(): number 0 ≤ x < 1, for jitter
---@param asked? number seconds the other side asked for (retry_after)
---@return number
---@usage retry.delay({ delay = 1, backoff = 2, max_delay = 60 }, 3) --> 4
function retry.delay(spec, attempt, random, asked)
  local d = (spec.delay or 0) * growth(spec.backoff or 1, attempt)
  if spec.max_delay and d > spec.max_delay then d = spec.max_delay end
  if spec.jitter then d = d * (0.5 + 0.5 * (random or math.random)()) end
  if asked and asked > d then d = asked end
  return d
end

return retry
