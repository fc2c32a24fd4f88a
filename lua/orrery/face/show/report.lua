-- The end of a run in words: counts, times, true savings, what failed and what to do.
local errors = require("orrery.kernel.errors")
local words = require("orrery.face.words")

local report = {}

local TAIL = 20

local function place_of(err)
  local p = err and err.place
  if not p or not p.file then return "" end
  return p.line and ("%s:%d: "):format(p.file, p.line) or p.file .. ": "
end

local function tail(text, n)
  local lines = {}
  for l in (text or ""):gmatch("[^\n]+") do lines[#lines + 1] = l end
  local from = math.max(1, #lines - n + 1)
  return table.concat(lines, "\n", from), from > 1 and from - 1 or 0
end

local function skipped_because(s, id)
  local out = {}
  for _, other in ipairs(s.order) do
    local step = s.steps[other]
    if step.status == "skipped" and step.cause == id then out[#out + 1] = other end
  end
  return out
end

local function name_some(list)
  if #list <= 5 then return table.concat(list, ", ") end
  return table.concat(list, ", ", 1, 5) .. (" and %d more"):format(#list - 5)
end

--- The failed steps: for each a line with place and reason, the end of its output unless it
--- was shown already, a hint, and what it kept from running.
---@param s table a tally
---@param opts { paint: function, shown?: boolean }
---@return string[] lines
function report.failures(s, opts)
  local out = {}
  for _, id in ipairs(s.order) do
    local step = s.steps[id]
    if step.status == "failed" and not step.allowed then
      local err = step.error or {}
      out[#out + 1] = ("%s%s %s: %s"):format(place_of(err), opts.paint("red", "error:"), id,
        errors.text(err.message or "failed"))
      if not opts.shown then
        local text, more = tail((step.stdout or "") .. (step.stderr or ""), TAIL)
        if more > 0 then
          out[#out + 1] = ("  | … %d lines above: orrery log %s"):format(more, id)
        end
        for l in text:gmatch("[^\n]+") do out[#out + 1] = "  | " .. l end
      end
      if err.traceback then out[#out + 1] = "  " .. err.traceback:gsub("\n", "\n  ") end
      if err.hint then out[#out + 1] = "  note: " .. err.hint end
      local behind = skipped_because(s, id)
      if #behind > 0 then
        out[#out + 1] = ("  skipped because of it: %s"):format(name_some(behind))
      end
    end
  end
  return out
end

local function parts_of(s)
  local c, out = s.counts, {}
  local function add(n, text)
    if n > 0 then out[#out + 1] = ("%d %s"):format(n, text) end
  end
  add(c.clean, "up to date")
  add(c.hit, "restored")
  local ran = 0
  for _, step in pairs(s.steps) do
    if step.status == "ok" and not step.cached then ran = ran + 1 end
  end
  add(ran, "ran")
  add(c.failed, "failed")
  add(c.skipped, "skipped")
  add(c.cancelled, "cancelled")
  return out
end

local function path_text(path)
  if #path <= 4 then return table.concat(path, " > ") end
  return ("%s > … %d … > %s"):format(path[1], #path - 2, path[#path])
end

--- The last line of a run.
---@param s table a tally with its run_finished
---@return string
function report.summary(s)
  local f = s.finished
  local steps = 0
  for _ in pairs(s.steps) do steps = steps + 1 end
  if steps > 0 and s.counts.clean == steps then
    return ("%s: everything up to date (%s)"):format(words.count(steps, "step"),
      words.seconds(f.wall))
  end
  local text = ("%s: %s · %s"):format(words.count(steps, "step"), table.concat(parts_of(s), ", "),
    words.seconds(f.wall))
  if f.work and f.work > 0 and f.saved and f.saved > 0 then
    text = text .. (" (%s of work, %s saved by running side by side)"):format(
      words.seconds(f.work), words.seconds(f.saved))
  end
  local critical = f.critical
  if critical and critical.seconds and critical.seconds > 0 and #critical.path > 1 then
    text = text .. ("\ncritical path %s: %s"):format(words.seconds(critical.seconds),
      path_text(critical.path))
  end
  return text
end

return report
