-- Checks that core/engine/git_nonet*.c defines nothing libgit2's archive does not ask for.
-- (What it forgets, the link finds.) usage: check_nonet.lua NM LIBORR_NONET LIBGIT2
local nm, nonet, libgit2 = table.unpack(arg)

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function symbols(flag, archive)
  local found = {}
  local p = assert(io.popen(quote(nm) .. " " .. flag .. " " .. quote(archive)))
  for line in p:lines() do
    local name = line:match("%s%a ([%w_]+)$")
    if name then found[name] = true end
  end
  assert(p:close(), "nm failed")
  return found
end

local asked, extra, count = symbols("-u", libgit2), {}, 0
for name in pairs(symbols("--defined-only -g", nonet)) do
  count = count + 1
  if not asked[name] then extra[#extra + 1] = name end
end
table.sort(extra)
if #extra > 0 or count == 0 then
  io.stderr:write("git_nonet: libgit2 does not ask for: ", table.concat(extra, " "), "\n")
  os.exit(1)
end
print(("git_nonet: %d symbols, each asked for"):format(count))
