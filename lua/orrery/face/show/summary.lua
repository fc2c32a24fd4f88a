-- A run in Markdown, for a CI's job summary.
local errors = require("orrery.kernel.errors")
local line = require("orrery.face.show.line")
local report = require("orrery.face.show.report")
local tally = require("orrery.face.show.tally")
local words = require("orrery.face.words")

local summary = {}

local MOST = 50
local TAIL = 30

local function cell(text)
  return (words.brief(tostring(text or ""), 160):gsub("|", "\\|"):gsub("<", "&lt;"))
end

-- A fence longer than any in the text.
local function fenced(text)
  local longest = 2
  for run in text:gmatch("`+") do longest = math.max(longest, #run) end
  local fence = ("`"):rep(longest + 1)
  return ("%s\n%s\n%s"):format(fence, text, fence)
end

local function table_of(steps)
  local rows, left = {}, 0
  for _, step in ipairs(steps) do
    if step.cached ~= "clean" then
      if #rows < MOST then
        local err = step.error and errors.text(step.error.message or "") or step.reason
          or step.cause and step.cause .. " failed"
        rows[#rows + 1] = ("| %s | %s | %s | %s |"):format(cell(step.id), line.word(step),
          step.seconds and not step.cached and words.seconds(step.seconds) or "", cell(err))
      else
        left = left + 1
      end
    end
  end
  if #rows == 0 then return "" end
  return "| step | result | took | why |\n|---|---|---|---|\n" .. table.concat(rows, "\n") .. "\n"
    .. (left > 0 and ("\n… and %d more\n"):format(left) or "")
end

local function failure(s, step)
  local err = step.error or {}
  local place = err.place and err.place.file and ("`%s%s` "):format(err.place.file,
    err.place.line and ":" .. err.place.line or "") or ""
  local lines = report.tail(tally.text(s, step), TAIL)
  return ("<details><summary>%s: %s</summary>\n\n%s%s\n\n</details>\n"):format(cell(step.id),
    cell(err.message), place, #lines > 0 and "\n\n" .. fenced(table.concat(lines, "\n")) or "")
end

--- The summary.
---@param s table a tally of a finished run
---@return string
function summary.text(s)
  local f = s.finished or {}
  local mark = f.code == 0 and "✅" or "❌"
  local parts = { ("### %s %s\n"):format(mark, s.run and s.run.workflow or "run"),
    (s.finished and report.summary(s):gsub("\n", "  \n") or "unfinished") .. "\n",
    table_of(tally.all(s)) }
  for _, step in ipairs(tally.failed(s)) do parts[#parts + 1] = failure(s, step) end
  return table.concat(parts, "\n") .. "\n"
end

return summary
