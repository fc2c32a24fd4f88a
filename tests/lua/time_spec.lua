-- time: spans and moments, both ways.
local time = require("orrery.time")

local function refused(f, text)
  local ok, err = pcall(f, text)
  assert.is_false(ok)
  assert.are.equal("EINVAL", err.code)
  assert.is_truthy(tostring(err):find(text, 1, true))
end

describe("time", function()
  it("reads spans of one unit and of several", function()
    for text, seconds in pairs { ["5m"] = 300, ["500ms"] = 0.5, ["1h30m"] = 5400, ["72h"] = 259200,
      ["1.5h"] = 5400, ["2w1d"] = 1296000, ["1h 5s"] = 3605, ["90"] = 90, [" 3s "] = 3 } do
      assert.are.equal(seconds, time.parse(text))
    end
    assert.are.equal(0.25, time.parse(0.25))
    assert.are.equal("integer", math.type(time.parse("5m")))
  end)

  it("refuses what is no span, and says how to write one", function()
    for _, text in ipairs { "", "5 minutes", "m", "5x", "-5s", "1m1h", "1m2m", "1e3", "5m!" } do
      refused(time.parse, text)
    end
    assert.is_false((pcall(time.parse, -1)))
    assert.is_false((pcall(time.parse, 0 / 0)))
  end)

  it("writes spans that it reads back", function()
    for seconds, text in pairs { [0] = "0s", [0.0004] = "0.4ms", [0.5] = "500ms", [4.25] = "4.2s",
      [59.96] = "1m", [61] = "1m1s", [5400] = "1h30m", [86399] = "1d", [200000] = "2d8h" } do
      assert.are.equal(text, time.format(seconds))
      assert.is_true(math.abs(time.parse(text) - seconds) <= seconds * 0.06)
    end
    assert.are.equal("-5s", time.format(-5))
  end)

  it("writes moments in UTC", function()
    assert.are.equal("1970-01-01T00:00:00Z", time.iso(0))
    assert.are.equal("2026-11-22T15:28:10.123Z", time.iso(1795361290.1234, 3))
    assert.are.equal("1969-12-31T23:59:59Z", time.iso(-1))
  end)

  it("reads moments with and without a zone", function()
    assert.are.equal(1795361290, time.parse_iso("2026-11-22T16:28:10+01:00"))
    assert.are.equal(1795361290, time.parse_iso("2026-11-22 15:28:10"))
    assert.are.equal(0, time.parse_iso("1970-01-01"))
    assert.are.equal(951825600.5, time.parse_iso("2000-02-29T12:00:00.5Z"))
    for t = -1e9, 4e9, 123456789 do
      assert.are.equal(t, time.parse_iso(time.iso(t)))
    end
  end)

  it("refuses dates that no calendar has", function()
    for _, text in ipairs { "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-01T25:00Z",
      "2026-01-01T10:00+99:00", "yesterday", "2026-1-1" } do
      refused(time.parse_iso, text)
    end
  end)
end)
