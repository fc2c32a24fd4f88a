-- Turns the Lua tree into bytecode that the binary carries: embed.bin (all chunks,
-- end to end) and embed_data.c (names in the order of their bytes, offsets, sizes; the bytes come
-- by .incbin).
-- Usage: lua5.4 embed.lua LUADIR OUTDIR
local luadir, outdir = arg[1], arg[2]
package.path = arg[0]:match("^(.*)/") .. "/?.lua"
local slim = require("slim")

local function lines(cmd)
  local p <close> = assert(io.popen(cmd))
  local t = {}
  for l in p:lines() do t[#t + 1] = l end
  return t
end

os.execute("mkdir -p '" .. outdir .. "'")
local files = lines("cd '" .. luadir .. "' && find . -name '*.lua' | LC_ALL=C sort")
local chunks, rows, offset = {}, {}, 0
for _, f in ipairs(files) do
  f = f:sub(3)
  if not f:find("/_meta/", 1, true) then
    local name = f:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
    local h <close> = assert(io.open(luadir .. "/" .. f, "rb"))
    local src = h:read("a")
    local fn, err = load(src, "@" .. f, "t")
    if not fn then
      io.stderr:write(err, "\n")
      os.exit(1)
    end
    local code = slim.chunk(string.dump(fn, false))
    chunks[#chunks + 1] = code
    rows[#rows + 1] = { name, offset, #code }
    offset = offset + #code
  end
end

table.sort(rows, function(a, b) return a[1] < b[1] end)
for i, row in ipairs(rows) do rows[i] = ('    {"%s", %d, %d},'):format(table.unpack(row)) end

local bin <close> = assert(io.open(outdir .. "/embed.bin", "wb"))
bin:write(table.concat(chunks))
local c <close> = assert(io.open(outdir .. "/embed_data.c", "w"))
c:write('/* Made by scripts/embed.lua; not for editing. */\n#include "host/embed.h"\n\n')
c:write('__asm__(".section .rodata\\n.global orr_embed_bytes\\norr_embed_bytes:\\n"\n')
c:write('        ".incbin \\"' .. outdir .. '/embed.bin\\"\\n.byte 0\\n.previous\\n");\n\n')
c:write("const struct orr_embed_entry orr_embed_table[] = {\n")
c:write(table.concat(rows, "\n"), "\n};\n")
c:write(("const size_t orr_embed_count = %d;\n"):format(#rows))
