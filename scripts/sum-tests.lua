-- Prints the closing line of scripts/test from the result document of `orrery run ci`.
-- Usage: orrery lua sum-tests.lua RESULT.json STATUS
local json = require("orrery.json")

local path, status = arg[1], tonumber(arg[2])
local f = io.open(path, "rb")
local text = f and f:read("a") or ""
local ok, doc = pcall(json.decode, text)
local ok_doc = ok and type(doc) == "table" and doc or {}

-- What the suites counted: the run's result, or, when the run failed, what is in its steps.
local function counted()
  if type(ok_doc.result) == "table" and ok_doc.result.passed then return ok_doc.result end
  local sum = { passed = 0, failed = 0, skipped = 0 }
  for _, step in ipairs(ok_doc.steps or {}) do
    local v = step.value
    if type(v) ~= "table" and step.output then
      local good, parsed = pcall(json.decode, step.output:match("[^\n]*"))
      v = good and parsed
    end
    if type(v) == "table" and v.passed then
      for k in pairs(sum) do sum[k] = sum[k] + (v[k] or 0) end
    end
  end
  return sum
end

local sum = counted()
local passed, failed, skipped = sum.passed or 0, sum.failed or 0, sum.skipped or 0
-- A step that failed without counting (a build, a lint) is a failure too.
if status ~= 0 and failed == 0 then failed = math.max(1, #(ok_doc.failed or {})) end
if passed == 0 and failed == 0 then failed = 1 end
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0 and status == 0 and 0 or 1)
