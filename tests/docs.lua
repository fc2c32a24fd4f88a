-- Documents that are programs. Two kinds of fenced blocks mean something:
--
--   a block whose first line is `-- PATH` or `# PATH` is that file of the reader's folder;
--   a ```console block is typed in that folder: `$ command`, continued by `> ` lines, then
--   what it prints. It must exit 0, or N when the line ends in `# exit N`; a line of `…`
--   stands for any lines, and times, run ids and dates may be others.
--
-- Blocks work from the top of a document to its end, in one folder.
local harness = require("tests.cli.harness")

local docs = {}

---@class docs.Block
---@field lang string
---@field line integer      of its first line within the document
---@field lines string[]
---@field file? string      the file it is
---@field commands? docs.Command[]

---@class docs.Command
---@field line integer      of `$`
---@field last integer      of its last continuation, counted within the block
---@field text string       for a shell
---@field code integer      expected
---@field want string[]     expected lines

local function file_of(first)
  local path = (first or ""):match("^%-%-%s+([%w_%./-]+)$") or (first or ""):match("^#%s+([%w_%./-]+)$")
  return path and path:find("%.%w+$") and path
end

local function commands_of(block)
  local out, now = {}, nil
  for i, line in ipairs(block.lines) do
    local text = line:match("^%$ (.*)")
    local more = now and #now.want == 0 and line:match("^> ?(.*)")
    if text then
      now = { line = block.line + i - 1, last = i, text = text, want = {},
        code = tonumber(text:match("# exit (%d+)$") or 0) }
      out[#out + 1] = now
    elseif more then
      now.text, now.last = now.text .. "\n" .. more, i
    else
      assert(now, ("line %d: output before any command"):format(block.line))
      now.want[#now.want + 1] = line
    end
  end
  return out
end

--- The fenced blocks of a document.
---@param text string
---@return docs.Block[]
function docs.blocks(text)
  local out, now, n = {}, nil, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    n = n + 1
    local lang = line:match("^```(%w*)%s*$")
    if lang and now then
      now.file = file_of(now.lines[1])
      if now.lang == "console" then now.commands = commands_of(now) end
      out[#out + 1], now = now, nil
    elseif lang then
      now = { lang = lang, line = n + 1, lines = {} }
    elseif now then
      now.lines[#now.lines + 1] = line
    end
  end
  assert(not now, "a fence is not closed")
  return out
end

--- What may differ between two runs, made equal; blanks count once.
---@param line string
---@return string
function docs.normal(line)
  line = line:gsub("%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d[:%d%.]*Z?", "DATE")
  line = line:gsub("%d+%.?%d* m?s%f[^%w]", "TIME"):gsub("%d+m %d+s", "TIME")
  line = line:gsub("%d%d%d%d%d%d%d%d%-?%d*%-%x%x%x%x+", "RUN")
  line = line:gsub("%f[%w]m%w%w%w%w%w%w%w%-%x%x%x%x%f[^%w]", "RUN")
  -- what the times decide: how much was saved, and the longest path, if there was one
  line = line:gsub(", saved TIME", ""):gsub(" · critical path .*", ""):gsub("seg/[%x-]+", "SEG")
  return (line:gsub("%s+", " "):gsub(" $", ""))
end

local function normal_lines(lines, skip)
  local out = {}
  for _, l in ipairs(lines) do
    if l ~= skip then out[#out + 1] = docs.normal(l) end
  end
  table.sort(out)
  return out
end

--- Does the output fit what the document shows? Steps that run side by side may end in
--- another order, so lines are compared as a bag.
---@param want string[]
---@param got string[]
---@return boolean ok
---@return string? missing
function docs.fits(want, got)
  local left, elided = {}, false
  for _, l in ipairs(normal_lines(got)) do left[l] = (left[l] or 0) + 1 end
  for _, l in ipairs(want) do
    elided = elided or l == "…"
  end
  for _, l in ipairs(normal_lines(want, "…")) do
    if (left[l] or 0) == 0 then return false, l end
    left[l] = left[l] - 1
  end
  for l, n in pairs(left) do
    if n > 0 and not elided and l ~= "" then return false, "nothing like: " .. l end
  end
  return true
end

local function split(text)
  local out = {}
  for line in text:gmatch("([^\n]*)\n?") do out[#out + 1] = line end
  while out[#out] == "" do out[#out] = nil end
  return out
end

--- Writes the files and types the commands of a document, in a fresh folder.
---@param text string
---@param seen fun(command: docs.Command, code: integer, lines: string[], block: docs.Block)
function docs.play(text, seen)
  local dir = harness.folder()
  local bin = dir .. "/.bin"
  harness.write(bin .. "/orrery", ('#!/bin/sh\nexec %s "$@"\n'):format(harness.quote(harness.binary())))
  os.execute("chmod +x " .. harness.quote(bin .. "/orrery"))
  local ok, why = pcall(function()
    for _, block in ipairs(docs.blocks(text)) do
      if block.file then
        harness.write(dir .. "/home/" .. block.file, table.concat(block.lines, "\n") .. "\n")
      end
      for _, command in ipairs(block.commands or {}) do
        os.execute("mkdir -p " .. harness.quote(dir .. "/home"))
        local r = harness.exec(dir .. "/home", "", { shell = ("PATH=%s:$PATH\nexec 2>&1\n%s"):format(
          harness.quote(bin), command.text) })
        seen(command, r.code, split(r.stdout), block)
      end
    end
  end)
  harness.remove(dir)
  if not ok then error(why, 0) end
end

--- The document with what its commands print now. A command that shows a `…` keeps its lines.
---@param text string
---@return string
function docs.refresh(text)
  local lines, out, replaced = split(text), {}, {}
  docs.play(text, function(command, code, got, block)
    local keep = false
    for _, l in ipairs(command.want) do keep = keep or l == "…" end
    assert(code == command.code, ("line %d: exit %d\n%s"):format(command.line, code, table.concat(got, "\n")))
    if not keep then replaced[block.line + command.last - 1] = { got = got, drop = #command.want } end
  end)
  local i = 1
  while i <= #lines do
    out[#out + 1] = lines[i]
    local new = replaced[i]
    if new then
      table.move(new.got, 1, #new.got, #out + 1, out)
      i = i + new.drop
    end
    i = i + 1
  end
  return table.concat(out, "\n") .. "\n"
end

return docs
