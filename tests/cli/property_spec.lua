-- The memo against the truth: two thousand random workflows, each with a random row of edits
-- and accidents, some fifteen thousand checked runs (tests/property/README.md).
--
--   ORRERY_PROPERTY_CASES=N   how many cases (each is some eight runs)
--   ORRERY_PROPERTY_FROM=N    other seeds: N and following ones; "now": ones never tried
--   ORRERY_PROPERTY_SEED=N    only the case of this seed: a failure again, with its transcript
local cli = require("tests.cli.harness")

local CASES = tonumber(os.getenv("ORRERY_PROPERTY_CASES")) or 2000
local FROM = os.getenv("ORRERY_PROPERTY_FROM") or "1"
FROM = FROM == "now" and os.time() * 1000 or tonumber(FROM)
local SEED = tonumber(os.getenv("ORRERY_PROPERTY_SEED"))
local WORKERS = SEED and 1 or 3

-- Starts WORKERS processes, each with its own seeds; what they say, and whether all were well.
local function play(from, count)
  local orrery = cli.binary()
  local out = cli.folder()
  local words = {}
  for i = 0, WORKERS - 1 do
    words[i + 1] = ("ORRERY=%s %s lua tests/property/main.lua %d %d >%s/%d 2>&1 & p%d=$!"):format(
      orrery, orrery, from + i * count, count, out, i, i)
  end
  for i = 0, WORKERS - 1 do words[#words + 1] = ("wait $p%d || s=1"):format(i) end
  local ok = os.execute("s=0; " .. table.concat(words, "\n") .. "\nexit $s")
  local said = {}
  for i = 0, WORKERS - 1 do said[i + 1] = cli.read(("%s/%d"):format(out, i)) end
  cli.remove(out)
  return ok, table.concat(said, "\n")
end

describe("the mistakes that are made on purpose", function()
  it("can still be made: their texts are there once", function()
    for _, m in ipairs(require("tests.property.mutations")) do
      local text = assert(cli.read(m.file), m.file)
      local _, to = text:find(m.old, 1, true)
      assert.truthy(to, m.name)
      assert.is_nil(text:find(m.old, to + 1, true), m.name)
    end
  end)
end)

describe("after any row of edits and accidents", function()
  it("a run leaves what a run without memory would, and repeats nothing without a reason", function()
    local ok, said = play(SEED or FROM, SEED and 1 or (CASES + WORKERS - 1) // WORKERS)
    assert(ok, "\n" .. said)
    assert.truthy(said:find(" runs, 0 failed", 1, true), said)
  end)
end)
