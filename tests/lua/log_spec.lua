-- log: one line a call, by level.
local log = require("orrery.log")

local function collect(level)
  local lines = {}
  return log.new { level = level, write = function(text) lines[#lines + 1] = text end }, lines
end

describe("log", function()
  it("writes level, message and sorted fields on one line", function()
    local logger, lines = collect("info")
    logger.info("deployed", { region = "eu west", count = 3, note = "a\nb" })
    assert.are.same({ 'info: deployed count=3 note="a\\nb" region="eu west"\n' }, lines)
  end)

  it("leaves out what is below its level", function()
    local logger, lines = collect("warn")
    logger.debug("a")
    logger.info("b")
    logger.warn("c")
    logger.error("d")
    assert.are.same({ "warn: c\n", "error: d\n" }, lines)
    logger, lines = collect("off")
    logger.error("e")
    assert.are.same({}, lines)
  end)

  it("indents the lines after the first", function()
    local logger, lines = collect("debug")
    logger.debug("a\nb")
    assert.are.same({ "debug: a\n  b\n" }, lines)
  end)
end)
