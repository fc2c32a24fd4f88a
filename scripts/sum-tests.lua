-- Prints the closing line of scripts/test from the result document of `orrery run ci`.
-- Usage: orrery lua sum-tests.lua RESULT.json STATUS
local json = require("orrery.json")

local path, status = arg[1], tonumber(arg[2])
local f = io.open(path, "rb")
local text = f and f:read("a") or ""
local ok, doc = pcall(json.decode, text)
local sum = ok and type(doc) == "table" and type(doc.result) == "table" and doc.result or {}
local passed, failed, skipped = sum.passed or 0, sum.failed or 0, sum.skipped or 0
-- A step that failed without counting (a build, a lint) is a failure too.
if status ~= 0 and failed == 0 then failed = math.max(1, ok and doc.failed and #doc.failed or 1) end
if passed == 0 and failed == 0 then failed = 1 end
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0 and status == 0 and 0 or 1)
