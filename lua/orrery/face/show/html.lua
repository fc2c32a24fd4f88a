-- A run as one HTML file that needs nothing else: what came of it, a timeline, and each step
-- with its reason and the end of what it wrote. Everything from the run is escaped; there is
-- no script in it, and nothing is fetched.
local errors = require("orrery.kernel.errors")
local line = require("orrery.face.show.line")
local report = require("orrery.face.show.report")
local tally = require("orrery.face.show.tally")
local words = require("orrery.face.words")

local html = {}

local TAIL = 200
local WIDTH, ROW = 900, 18

local entity = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;" }

-- What a page cannot hold goes: control characters, bytes that are no UTF-8.
local function escape(text)
  text = tostring(text or ""):gsub("\27%[[%d;]*%a", ""):gsub("[%z\1-\8\11\12\14-\31\127]", "")
  local parts, from = {}, 1
  while true do
    local _, at = utf8.len(text, from)
    if not at then break end
    parts[#parts + 1] = text:sub(from, at - 1) .. "\u{FFFD}"
    from = at + 1
  end
  return ((table.concat(parts) .. text:sub(from)):gsub("[&<>\"']", entity))
end

local STYLE = [[
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
h1{font-size:1.4rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
pre{overflow-x:auto;background:#8881;padding:.6rem}summary{cursor:pointer}
.ok{color:#197a3b}.failed{color:#c0262d}.skipped,.cancelled,.none{color:#777}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif}
svg .ok{fill:#46a56a}svg .failed{fill:#d0484e}svg .skipped,svg .cancelled,svg .none{fill:#aaa}
@media(prefers-color-scheme:dark){body{background:#181a1b;color:#ddd}svg text{fill:#ddd}
.ok{color:#5fcf86}.failed{color:#ff7b80}}
]]

local classes = { ok = "ok", failed = "failed", skipped = "skipped", cancelled = "cancelled" }

local function class_of(step) return classes[step.status] or "none" end

local function why(step)
  if step.error then return errors.text(step.error.message or step.error) end
  if step.status == "skipped" then
    return step.why == "when" and "its condition is false"
      or step.cause and step.cause .. " did not succeed" or step.why
  end
  return step.reason
end

-- A bar for each step that ran, at its time.
local function timeline(steps, wall)
  local bars = {}
  local scale = WIDTH / math.max(wall, 1e-6)
  for _, step in ipairs(steps) do
    if step.begun and step.ended then
      local x, y = step.begun * scale, #bars * ROW
      local w = math.max(1, (step.ended - step.begun) * scale)
      local left = x > WIDTH * 0.7
      bars[#bars + 1] = ('<g><title>%s: %s</title><rect class="%s" x="%.1f" y="%d" width="%.1f" '
        .. 'height="%d" rx="2"/><text x="%.1f" y="%d"%s>%s</text></g>'):format(escape(step.id),
        words.seconds(step.ended - step.begun), class_of(step), x, y + 2, w, ROW - 4,
        left and x - 4 or x + w + 4, y + ROW - 5, left and ' text-anchor="end"' or "",
        escape(step.id))
    end
  end
  if #bars == 0 then return "<p>No step had to run.</p>" end
  return ('<svg viewBox="0 0 %d %d" role="img" aria-label="timeline">%s</svg>'):format(
    WIDTH + 200, #bars * ROW + 4, table.concat(bars))
end

local function output_of(s, step)
  local lines, above = report.tail(tally.text(s, step), TAIL)
  if #lines == 0 then return "" end
  return ("<details%s><summary>output%s</summary><pre>%s</pre></details>"):format(
    step.status == "failed" and " open" or "",
    above > 0 and (", the last %d lines"):format(#lines) or "",
    escape(table.concat(lines, "\n")))
end

local function row(s, step)
  local place = step.error and step.error.place
  return ('<tr><td>%s</td><td class="%s">%s</td><td>%s</td><td>%s%s%s</td></tr>'):format(
    escape(step.id), class_of(step), escape(line.word(step)),
    step.seconds and not step.cached and words.seconds(step.seconds) or "",
    place and place.file and escape(("%s:%s: "):format(place.file, place.line or "?")) or "",
    escape(why(step)), output_of(s, step))
end

local function affected(a)
  return a and ("<p>%s, %s</p>"):format(words.count(#a.steps, "affected step"),
    escape(words.since(a))) or ""
end

--- The page.
---@param s table a tally of a finished run, with the texts of its steps
---@return string
function html.text(s)
  local run, f, rows = s.run or {}, s.finished or {}, {}
  local steps = tally.all(s)
  for i, step in ipairs(steps) do rows[i] = row(s, step) end
  local name = escape(run.workflow or "run")
  return table.concat({ "<!doctype html>", '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width">',
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
      .. 'style-src \'unsafe-inline\'">',
    ("<title>%s: %s</title><style>%s</style></head><body>"):format(name,
      escape(f.status or "unfinished"), STYLE),
    ('<h1>%s: <span class="%s">%s</span></h1>'):format(name, f.code == 0 and "ok" or "failed",
      escape(f.status or "unfinished")),
    ("<p>run %s%s</p>"):format(escape(run.run),
      run.wall and os.date("!, %Y-%m-%d %H:%M:%S UTC", math.floor(run.wall)) or ""),
    ("<p>%s</p>"):format(s.finished and escape(report.summary(s)) or "unfinished"),
    affected(s.affected), "<h2>Timeline</h2>", timeline(s.started, f.wall or s.now),
    "<h2>Steps</h2><table><tr><th>step</th><th>result</th><th>took</th><th>why</th></tr>",
    table.concat(rows, "\n"), "</table></body></html>" }, "\n") .. "\n"
end

return html
