-- What a doctor found, as lines or JSON: ok, note, bad.
local json = require("orrery.core.json")
local pack = require("orrery.core.pack")
local words = require("orrery.face.words")

local findings = {}

--- Prints them.
---@param c table the invocation
---@param found { level: "ok"|"note"|"bad", what: string, text: string }[]
---@return integer 1 when something is bad
function findings.print(c, found)
  local bad = false
  for _, f in ipairs(found) do bad = bad or f.level == "bad" end
  if c.opts.json then
    c.out(json.encode(pack.array(found), { lossy = true, indent = 2 }) .. "\n")
    return bad and 1 or 0
  end
  local paint = require("orrery.face.color").painter(c.opts.color, 1)
  local colors, rows = { ok = "green", note = "yellow", bad = "red" }, {}
  for i, f in ipairs(found) do rows[i] = { paint(colors[f.level], f.level), f.what, f.text } end
  for _, line in ipairs(words.columns(rows)) do c.out(line .. "\n") end
  return bad and 1 or 0
end

return findings
