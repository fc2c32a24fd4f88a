-- What a run came to, as an exit code: the first that applies of 130/143 interrupted,
-- 124 timeout, 7 internal, 6 budget, 8 waits for approval, 4 refused, 1 failed, 0.
local exitcode = {}

local OF_CLASS = { internal = 7, budget = 6, gate = 4, schema = 1, approval = 4, refused = 4 }
local RANK = { [7] = 1, [6] = 2, [8] = 3, [4] = 4, [1] = 5, [0] = 6 }
local STATUS = { [0] = "ok", [8] = "waiting", [4] = "refused", [130] = "interrupted",
  [143] = "interrupted", [124] = "interrupted" }

local function worse(a, b)
  return RANK[b] < RANK[a] and b or a
end

--- The code of one result.
---@param r orrery.Result
---@return integer
function exitcode.of_result(r)
  if r.waiting then return 8 end
  if r.ok or r.allowed or r.status == "skipped" or r.status == "cancelled" then return 0 end
  return OF_CLASS[r.error and r.error.class or ""] or 1
end

--- The code and status of a run.
---@param interrupted? integer 130, 143 or 124
---@param top orrery.Result the workflow as a group
---@param list orrery.Result[] of its steps
---@return integer code
---@return string status
function exitcode.of(interrupted, top, list)
  if interrupted then return interrupted, STATUS[interrupted] end
  local code = exitcode.of_result(top)
  if not top.ok then
    for _, r in ipairs(list) do code = worse(code, exitcode.of_result(r)) end
    if code == 0 then code = 1 end
  else
    for _, r in ipairs(list) do
      if r.waiting then code = worse(code, 8) end
    end
  end
  return code, STATUS[code] or "failed"
end

return exitcode
