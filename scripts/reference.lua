-- Writes docs/reference.md: the fields of the language, the public modules and the commands,
-- from model/fields.lua, model/help.lua, the comments of lua/orrery/*.lua and the commands'
-- own help. With --check it only says whether the file is current.
-- Usage: build/orrery lua scripts/reference.lua [--check]
local commands = require("orrery.face.commands")
local fields = require("orrery.model.fields")
local fs = require("orrery.fs")
local help = require("orrery.model.help")
local sorted = require("orrery.kernel.sorted")

local TARGET = "docs/reference.md"
local out = {}

local function say(text, ...) out[#out + 1] = select("#", ...) > 0 and text:format(...) or text end

local function cell(text) return (text:gsub("|", "\\|")) end

-- Fields ---------------------------------------------------------------------------------

local function goes_with(spec)
  if spec.kind then return "kind" end
  if spec.fan then return "for_each, matrix" end
  return spec.only and table.concat(sorted.keys(spec.only), ", ") or ""
end

local function field_table(what)
  local step = what == "step"
  say(step and "| field | type | goes with | |" or "| field | type | |")
  say(step and "|---|---|---|---|" or "|---|---|---|")
  for name, spec in sorted.pairs(fields[what]) do
    local text = cell(help[what][name] or error(("%s.%s has no help"):format(what, name)))
    local type_text = cell(spec.type:gsub("|", ", "))
    if step then
      say("| `%s` | %s | %s | %s |", name, type_text, goes_with(spec), text)
    else
      say("| `%s` | %s | %s |", name, type_text, text)
    end
  end
  say("")
end

local function language()
  say("## Fields\n")
  say("A workflow is what `o.workflow \"name\" { … }` returns, or a YAML file with the same")
  say("fields. Entries without a name are its steps and groups. An unknown field is an error.\n")
  for _, part in ipairs { { "workflow", 'o.workflow "name" { … }' },
    { "step", 'o.step "id" { … }' }, { "group", 'o.group "id" { … }' },
    { "param", "o.param { … }" } } do
    say("### `%s`\n", part[2])
    if part[1] == "step" then say("Exactly one field of those marked *kind* is there.\n") end
    field_table(part[1])
  end
end

-- Modules --------------------------------------------------------------------------------

-- One documented thing of a source: what it is called, its prose and its tags.
local function entry(name, comment)
  local e = { name = name, text = {}, params = {}, returns = {}, usage = {} }
  for _, line in ipairs(comment) do
    local tag, rest = line:match("^%-%-%-@(%w+)%s*(.*)")
    if tag == "param" then
      e.params[#e.params + 1] = rest
    elseif tag == "return" then
      e.returns[#e.returns + 1] = rest
    elseif tag == "usage" then
      e.usage[#e.usage + 1] = rest
    elseif not tag then
      e.text[#e.text + 1] = line:gsub("^%-%-%- ?", "")
    end
  end
  return e
end

-- Where a type ends and words about it begin: a blank outside brackets, after no : or ,
local function split_type(text)
  local depth, before = 0, ""
  for pos, char in text:gmatch("()(.)") do
    if char:find("[%(%[{<]") then depth = depth + 1 end
    if char:find("[%)%]}>]") then depth = depth - 1 end
    if char == " " and depth == 0 and not before:find("[:,]") then
      return text:sub(1, pos - 1), text:sub(pos + 1)
    end
    before = char
  end
  return text, ""
end

-- The arguments as the comments name them: with a ? when they may be left out.
local function signature(e, args)
  local names = {}
  for i, p in ipairs(e.params) do names[i] = p:match("^%S+") end
  return ("%s(%s)"):format(e.name, #names > 0 and table.concat(names, ", ") or args)
end

-- The head comment of a source and what is documented in it.
local function parse(text)
  local head, entries, comment, started = {}, {}, {}, false
  for line in text:gmatch("([^\n]*)\n") do
    if not started and line:match("^%-%- ?") and not line:match("^%-%-%-") then
      head[#head + 1] = line:gsub("^%-%- ?", "")
    else
      started = true
    end
    if line:match("^%-%-%-") then
      comment[#comment + 1] = line
    else
      local name, args = line:match("^function ([%w_%.:]+)%((.-)%)")
      name = name or line:match("^([%w_]+%.[%w_]+) = ")
      if name and #comment > 0 then
        local e = entry(name, comment)
        if args then e.name = signature(e, args) end
        entries[#entries + 1] = e
      end
      comment = {}
    end
  end
  return head, entries
end

local function typed(text)
  local kind, words = split_type(text)
  return ("`%s`%s"):format(kind, words ~= "" and " " .. words or "")
end

local function write_entry(e)
  say("#### `%s`\n", e.name)
  for _, l in ipairs(e.text) do say(l) end
  for _, l in ipairs(e.usage) do say("\n    %s", l) end
  say("")
  for _, p in ipairs(e.params) do
    local name, rest = p:match("^(%S+)%s+(.*)$")
    say("- %s: %s", name or p, typed(rest or "any"))
  end
  for _, r in ipairs(e.returns) do say("- returns %s", typed(r)) end
  if #e.params + #e.returns > 0 then say("") end
end

-- o.merge is made with the constructors, elsewhere.
local function merge_entry()
  local comment = {}
  for line in fs.read("lua/orrery/model/build.lua"):gmatch("([^\n]*)\n") do
    if line:match("^local function merge%(") then break end
    comment = line:match("^%-%-%-") and table.move({ line }, 1, 1, #comment + 1, comment) or {}
  end
  local e = entry("orrery.merge", comment)
  e.name = signature(e, "...")
  return e
end

local function modules()
  say("## Modules\n")
  say("`require(\"orrery.fs\")` and so on work in workflows, scripts (`orrery lua`), at the")
  say("prompt and in `orrery eval`. What fails raises an error value with `code` and `message`.\n")
  local files = fs.glob("lua/orrery/*.lua")
  table.sort(files, function(a, b)
    local ia, ib = a:find("init.lua", 1, true), b:find("init.lua", 1, true)
    if (ia ~= nil) ~= (ib ~= nil) then return ia ~= nil end
    return a < b
  end)
  for _, path in ipairs(files) do
    local name = path:match("([%w_]+)%.lua$")
    local head, entries = parse(fs.read(path))
    say("### `%s`\n", name == "init" and "orrery" or "orrery." .. name)
    for _, l in ipairs(head) do say(l) end
    say("")
    for _, e in ipairs(entries) do write_entry(e) end
    if name == "init" then write_entry(merge_entry()) end
  end
end

-- Records --------------------------------------------------------------------------------

local function class_of(text, name)
  local rows, inside = {}, false
  for line in text:gmatch("([^\n]*)\n") do
    local class = line:match("^%-%-%-@class (%S+)")
    if class then inside = class == name end
    local field, rest = line:match("^%-%-%-@field (%S+)%s+(.*)$")
    if inside and field then
      rows[#rows + 1] = { field, rest }
    elseif inside and not class then
      break
    end
  end
  return rows
end

local function records()
  say("## Records\n")
  local text = fs.read("lua/orrery/_meta/run.lua")
  for _, part in ipairs { { "orrery.RunOptions", "what `orrery.run` and `orrery.plan` take" },
    { "orrery.RunRecord", "what a run gives" },
    { "orrery.Result", "what a step gives: `ctx.results.ID`" },
    { "orrery.G", "what a policy gets" } } do
    say("### `%s`: %s\n", part[1], part[2])
    for _, row in ipairs(class_of(text, part[1])) do
      local kind, words = split_type(row[2])
      if not words:find("tests", 1, true) then
        say("- `%s`: `%s`%s", row[1], kind, words ~= "" and " " .. words:gsub("^%s+", "") or "")
      end
    end
    say("")
  end
end

-- Commands -------------------------------------------------------------------------------

local function command_help(name)
  local text = {}
  require("orrery.face.cmd.help").main({ words = { name }, opts = {},
    out = function(s) text[#text + 1] = s end })
  return table.concat(text)
end

local function command_line()
  say("## Commands\n")
  for _, name in ipairs(commands.names()) do
    say("### `orrery %s`\n\n```text", name)
    say((command_help(name):gsub("\n+$", "")))
    say("```\n")
  end
end

say("# Reference\n")
say("Generated by `build/orrery lua scripts/reference.lua`; a test keeps it current.\n")
say("[Fields](#fields) · [Modules](#modules) · [Records](#records) · [Commands](#commands)\n")
language()
modules()
records()
command_line()

local text = table.concat(out, "\n"):gsub("\n\n\n+", "\n\n"):gsub("\n+$", "") .. "\n"
if arg[1] == "--check" then
  if not fs.exists(TARGET) or fs.read(TARGET) ~= text then
    io.stderr:write(TARGET .. " is not current; run: build/orrery lua scripts/reference.lua\n")
    os.exit(1)
  end
else
  fs.write_atomic(TARGET, text)
end
