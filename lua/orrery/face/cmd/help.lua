-- orrery help [COMMAND]
local commands = require("orrery.face.commands")
local errors = require("orrery.kernel.errors")
local flags = require("orrery.face.flags")
local nearest = require("orrery.kernel.nearest")
local sorted = require("orrery.kernel.sorted")
local words = require("orrery.face.words")

local help = {}

help.usage = "orrery help [COMMAND]"
help.about = "Says what there is, or how one command is used."
help.examples = { { "orrery help run", "flags and examples of run" } }

local function overview()
  local lines = { "orrery runs workflows of commands, Lua functions and agent calls,",
    "and never does the same work twice.", "", "usage: orrery COMMAND [ARGS]", "" }
  for _, kin in ipairs(commands.list) do
    local rows = {}
    for i = 2, #kin do rows[i - 1] = { ("%-10s"):format(kin[i][1]), kin[i][2] } end
    lines[#lines + 1] = kin[1]
    table.move(words.columns(rows, "  "), 1, #rows, #lines + 1, lines)
  end
  for _, line in ipairs({ "", "  orrery run                 the default workflow",
    "  orrery run site -j8 -k     workflows/site.lua, eight at once, past failures",
    "  orrery help run            every flag, with examples" }) do
    lines[#lines + 1] = line
  end
  return lines
end

local function flag_rows(set)
  local rows = {}
  for name, f in sorted.pairs(set) do
    local value = not f.takes and "" or f.takes:sub(1, 1) == "["
      and "[=" .. f.takes:sub(2) or "=" .. f.takes
    rows[#rows + 1] = { (f.short and "-" .. f.short .. ", " or "    ") .. "--" .. name .. value,
      f.help .. (f.choices and ": " .. table.concat(f.choices, ", ") or "") }
  end
  return rows
end

local function unknown(name, names)
  errors.raise("usage", ("there is no command '%s'"):format(name),
    { hint = nearest.hint(name, names) or "orrery help lists them" })
end

local function find(name, sub)
  local command = commands.get(name)
  if not command then unknown(name, commands.names()) end
  if not sub or not command.subs then return command end
  local names = {}
  for i, s in ipairs(command.subs) do names[i] = s[1] end
  return command.get(sub) or unknown(name .. " " .. sub, names)
end

local function of(name, sub)
  local command = find(name, sub)
  local lines = { "usage: " .. command.usage, "", command.about, "" }
  local rows = {}
  for i, e in ipairs(command.examples) do rows[i] = { e[1], e[2] } end
  lines[#lines + 1] = "Examples"
  table.move(words.columns(rows, "  "), 1, #rows, #lines + 1, lines)
  if command.subs then
    lines[#lines + 1] = ""
    lines[#lines + 1] = "Commands"
    rows = words.columns(command.subs, "  ")
    table.move(rows, 1, #rows, #lines + 1, lines)
  elseif not command.raw then
    local list = words.columns(flag_rows(flags.set(command.flags or {})), "  ")
    lines[#lines + 1] = ""
    lines[#lines + 1] = "Flags"
    table.move(list, 1, #list, #lines + 1, lines)
  end
  if command.notes then
    lines[#lines + 1] = ""
    lines[#lines + 1] = command.notes
  end
  return lines
end

--- Prints the overview, or the help of one command.
---@param c table the invocation
---@return integer
function help.main(c)
  local lines = c.words[1] and of(c.words[1], c.words[2]) or overview()
  c.out(table.concat(lines, "\n") .. "\n")
  return 0
end

return help
