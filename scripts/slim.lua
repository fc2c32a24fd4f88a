-- Rewrites a Lua 5.4 chunk without the names of its locals and upvalues. Lines stay, so
-- tracebacks keep their places, and so does _ENV, by which a function that travels finds its
-- environment; loading the embedded tree interns nearly half of its strings the less.
local slim = {}

-- A cursor over the chunk: copies what is kept, skips what is not.
local Reader = {}
Reader.__index = Reader

function Reader:keep(n)
  self.out[#self.out + 1] = self.s:sub(self.i, self.i + n - 1)
  self.i = self.i + n
end

-- Lua's unsigned: seven bits a byte, most significant first, the last byte has the high bit.
function Reader:unsigned()
  local v, i = 0, self.i
  repeat
    local b = self.s:byte(i)
    v = v << 7 | b & 0x7f
    i = i + 1
  until b & 0x80 ~= 0
  return v, i - self.i
end

function Reader:keep_unsigned()
  local v, n = self:unsigned()
  self:keep(n)
  return v
end

function Reader:skip_unsigned()
  local v, n = self:unsigned()
  self.i = self.i + n
  return v
end

function Reader:keep_string()
  local size = self:keep_unsigned()
  if size > 0 then self:keep(size - 1) end
end

local constants = { [0x03] = 8, [0x13] = 8 }     -- integer, float
local strings = { [0x04] = true, [0x14] = true } -- short, long

function Reader:constants()
  for _ = 1, self:keep_unsigned() do
    local kind = self.s:byte(self.i)
    self:keep(1)
    if strings[kind] then self:keep_string() else self:keep(constants[kind] or 0) end
  end
end

-- A name that is left out reads as "(no name)".
function Reader:keep_env()
  local i = self.i
  local size = self:skip_unsigned()
  local name = size > 0 and self.s:sub(self.i, self.i + size - 2)
  if size > 0 then self.i = self.i + size - 1 end
  self.out[#self.out + 1] = name == "_ENV" and self.s:sub(i, self.i - 1) or "\x80"
end

function Reader:debug()
  self:keep(self:keep_unsigned())                -- a byte of line an instruction
  for _ = 1, self:keep_unsigned() do             -- absolute lines
    self:keep_unsigned()
    self:keep_unsigned()
  end
  local locals = self:skip_unsigned()
  self.out[#self.out + 1] = "\x80"               -- none of them
  for _ = 1, locals do
    local size = self:skip_unsigned()
    if size > 0 then self.i = self.i + size - 1 end
    self:skip_unsigned()
    self:skip_unsigned()
  end
  for _ = 1, self:keep_unsigned() do self:keep_env() end
end

function Reader:prototype()
  self:keep_string()                             -- source
  self:keep_unsigned()                           -- first line
  self:keep_unsigned()                           -- last line
  self:keep(3)                                   -- params, vararg, stack
  self:keep(4 * self:keep_unsigned())            -- code
  self:constants()
  self:keep(3 * self:keep_unsigned())            -- upvalues
  for _ = 1, self:keep_unsigned() do self:prototype() end
  self:debug()
end

--- The chunk without these names.
---@param chunk string from string.dump of this machine's Lua 5.4
---@return string
function slim.chunk(chunk)
  assert(chunk:sub(1, 5) == "\27Lua\x54", "not a Lua 5.4 chunk")
  local r = setmetatable({ s = chunk, i = 1, out = {} }, Reader)
  r:keep(4 + 1 + 1 + 6 + 3 + 8 + 8)              -- header
  r:keep(1)                                      -- upvalues of the main function
  r:prototype()
  assert(r.i == #chunk + 1, "bytes left over")
  return table.concat(r.out)
end

return slim
