-- Hides texts in other texts: the values of secrets, the lines of those that have several,
-- and the forms in which programs like to print them (JSON, URL, base64). A stream is masked
-- as it comes: what may be the beginning of a hidden text is held back until it is known.
local mask = {}
local Mask, Stream = {}, {}
Mask.__index, Stream.__index = Mask, Stream

--- What stands for a hidden text.
mask.SIGN = "***"

-- Shorter lines of a hidden text are too common to be hidden.
mask.SHORTEST = 4
-- And shorter pieces of base64 could be anything.
local SHORTEST_CODE = 8

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(bytes)
  local out = {}
  for i = 1, #bytes, 3 do
    local a, b, c = bytes:byte(i, i + 2)
    local n = a << 16 | (b or 0) << 8 | (c or 0)
    for j = 0, 3 do
      local at = n >> (18 - 6 * j) & 63
      out[#out + 1] = ALPHABET:sub(at + 1, at + 1)
    end
    if not c then out[#out] = "" end
    if not b then out[#out - 1] = "" end
  end
  return table.concat(out)
end

-- The part of the base64 of a text that is the same whatever stands before and after it, for
-- each of the three places it may begin at.
local function codes(text)
  local out = {}
  for before = 0, 2 do
    local code = base64(("\0"):rep(before) .. text)
    local whole = (before + #text) % 3 == 0
    code = code:sub(({ 1, 3, 4 })[before + 1], whole and -1 or -2)
    if #code >= SHORTEST_CODE then
      out[#out + 1] = code
      out[#out + 1] = (code:gsub("[+/]", { ["+"] = "-", ["/"] = "_" }))
    end
  end
  return out
end

local function percent(text)
  return (text:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function in_json(text)
  local short = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ['"'] = '\\"', ["\\"] = "\\\\" }
  return (text:gsub('[%c"\\]', function(c) return short[c] or ("\\u%04x"):format(c:byte()) end))
end

--- A mask that hides nothing yet.
---@return orrery.Mask
function mask.new()
  return setmetatable({ list = {}, known = {}, first = {}, longest = 0 }, Mask)
end

local function hide(self, text)
  if #text < mask.SHORTEST or self.known[text] then return end
  self.known[text] = true
  self.list[#self.list + 1] = text
  local alike = self.first[text:byte()] or {}
  self.first[text:byte()] = alike
  alike[#alike + 1] = text
  self.longest = math.max(self.longest, #text)
end

local function add_forms(self, text)
  hide(self, text)
  hide(self, percent(text))
  hide(self, (percent(text):gsub("%%20", "+")))
  hide(self, in_json(text))
end

--- Hides a text from now on, with its lines and other forms.
---@param text string
function Mask:add(text)
  if self.known[text] then return end
  add_forms(self, text)
  for line in text:gmatch("[^\r\n]+") do
    line = line:match("^%s*(.-)%s*$")
    if #line >= mask.SHORTEST then add_forms(self, line) end
  end
  for _, code in ipairs(codes(text)) do hide(self, code) end
end

--- Is there anything to hide?
---@return boolean
function Mask:empty() return #self.list == 0 end

-- Where hidden texts stand: { from, to } each, those that touch or overlap as one, in order.
local function places(self, text)
  local found = {}
  for _, secret in ipairs(self.list) do
    local from = text:find(secret, 1, true)
    while from do
      found[#found + 1] = { from, from + #secret - 1 }
      from = text:find(secret, from + 1, true)
    end
  end
  if #found < 2 then return found end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  local out = { found[1] }
  for i = 2, #found do
    local last, one = out[#out], found[i]
    if one[1] <= last[2] + 1 then
      last[2] = math.max(last[2], one[2])
    else
      out[#out + 1] = one
    end
  end
  return out
end

local function covered(text, list)
  if #list == 0 then return text end
  local out, at = {}, 1
  for _, p in ipairs(list) do
    out[#out + 1] = text:sub(at, p[1] - 1)
    out[#out + 1] = mask.SIGN
    at = p[2] + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

-- Where a hidden text may have begun that is not all there: the first such place, or nil.
local function begun(self, text)
  for from = math.max(1, #text - self.longest + 2), #text do
    local left = #text - from + 1
    for _, secret in ipairs(self.first[text:byte(from)] or {}) do
      if #secret > left and secret:sub(1, left) == text:sub(from) then return from end
    end
  end
end

--- The text without what is to be hidden.
---@param text string
---@param torn? boolean its end was cut off: the beginning of a hidden text there is hidden, too
---@return string
---@usage m:add("hunter2"); m:text("pw hunter2.") --> "pw ***."
function Mask:text(text, torn)
  local out = covered(text, places(self, text))
  local from = torn and begun(self, out)
  if from and #out - from + 1 >= mask.SHORTEST then return out:sub(1, from - 1) .. mask.SIGN end
  return out
end

local function deep(self, v, depth)
  local kind = type(v)
  if kind == "string" then return self:text(v) end
  if kind == "number" then return self.known[tostring(v)] and mask.SIGN or v end
  if kind ~= "table" or depth > 100 then return v end
  local renamed
  for k, one in next, v do
    local new = deep(self, one, depth + 1)
    if new ~= one then v[k] = new end
    if type(k) == "string" and self:text(k) ~= k then
      renamed = renamed or {}
      renamed[k] = self:text(k)
    end
  end
  for k, name in next, renamed or {} do
    v[k], v[name] = nil, v[k]
  end
  return v
end

--- A plain value without what is to be hidden; tables are changed in place.
---@param v any
---@return any
function Mask:value(v)
  if self:empty() then return v end
  return deep(self, v, 1)
end

--- A text that comes in pieces.
---@return orrery.MaskStream
function Mask:stream()
  return setmetatable({ mask = self, rest = "" }, Stream)
end

--- Takes the next piece; what of the text may be shown now.
---@param data string
---@return string
function Stream:take(data)
  local text = self.rest .. data
  local list = places(self.mask, text)
  local cut = begun(self.mask, text) or #text + 1
  for i = #list, 1, -1 do -- a place that is cut through waits as a whole
    if list[i][2] >= cut then
      cut = math.min(cut, list[i][1])
      list[i] = nil
    end
  end
  self.rest = text:sub(cut)
  return covered(text:sub(1, cut - 1), list)
end

--- What is left at the end.
---@return string
function Stream:finish()
  local rest = self.rest
  self.rest = ""
  return self.mask:text(rest)
end

return mask
