-- A run as a JUnit report: a case for each step, a suite for the workflow.
local errors = require("orrery.kernel.errors")
local report = require("orrery.face.show.report")
local tally = require("orrery.face.show.tally")

local junit = {}

local entity = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
local TAIL = 400

-- What XML 1.0 cannot hold goes; bytes that are no UTF-8 become "?".
local function xml(text)
  text = tostring(text):gsub("[%z\1-\8\11\12\14-\31]", ""):gsub("\u{FFFE}", ""):gsub("\u{FFFF}", "")
  while not utf8.len(text) do
    local _, at = utf8.len(text)
    text = text:sub(1, at - 1) .. "?" .. text:sub(at + 1)
  end
  return (text:gsub('[&<>"]', entity))
end

local function attribute(name, value)
  return (' %s="%s"'):format(name, (xml(value):gsub("\n", "&#10;")))
end

local function number(v) return ("%.6f"):format(v or 0):gsub("0+$", ""):gsub("%.$", "") end

local function class_of(s, step)
  local name = s.run and s.run.workflow or "run"
  return step.group and step.group ~= "" and name .. "." .. step.group or name
end

local function skipped_because(step)
  if step.status == "not started" or step.why == "stopped" then return "not started" end
  if step.why == "when" then return "its condition is false" end
  return step.cause and step.cause .. " failed" or step.why or step.status
end

local function text_tail(s, step)
  return table.concat(report.tail(tally.text(s, step), TAIL), "\n")
end

local function case(out, s, step)
  local head = "    <testcase" .. attribute("classname", class_of(s, step))
    .. attribute("name", step.id) .. attribute("time", number(step.seconds))
  local passed = step.status == "ok" or step.allowed
  if passed and not step.reason then
    out[#out + 1] = head .. "/>"
    return
  end
  out[#out + 1] = head .. ">"
  if step.reason then
    out[#out + 1] = "      <properties><property" .. attribute("name", "reason")
      .. attribute("value", step.reason) .. "/></properties>"
  end
  if passed then
    out[#out + 1] = "    </testcase>"
    return
  end
  if step.status == "failed" then
    local err = step.error or {}
    out[#out + 1] = "      <failure" .. attribute("message", errors.text(err.message or "failed"))
      .. attribute("type", err.class or "failed") .. ">" .. xml(text_tail(s, step)) .. "</failure>"
  else
    out[#out + 1] = "      <skipped" .. attribute("message", skipped_because(step)) .. "/>"
  end
  out[#out + 1] = "    </testcase>"
end

--- The report.
---@param s table a tally of a finished run
---@return string
function junit.text(s)
  local steps, failures, skipped = tally.all(s), 0, 0
  for _, step in ipairs(steps) do
    if step.status == "failed" and not step.allowed then failures = failures + 1 end
    if step.status ~= "ok" and step.status ~= "failed" then skipped = skipped + 1 end
  end
  local run = s.run or {}
  local numbers = attribute("tests", #steps) .. attribute("failures", failures)
    .. attribute("errors", 0) .. attribute("skipped", skipped)
    .. attribute("time", number(s.finished and s.finished.wall or s.now))
  local out = { '<?xml version="1.0" encoding="UTF-8"?>',
    "<testsuites" .. attribute("name", "orrery") .. numbers .. ">",
    "  <testsuite" .. attribute("name", run.workflow or "run") .. numbers
      .. (run.wall and attribute("timestamp", os.date("!%Y-%m-%dT%H:%M:%S",
        math.floor(run.wall))) or "") .. ">" }
  for _, step in ipairs(steps) do case(out, s, step) end
  out[#out + 1] = "  </testsuite>"
  out[#out + 1] = "</testsuites>"
  return table.concat(out, "\n") .. "\n"
end

return junit
