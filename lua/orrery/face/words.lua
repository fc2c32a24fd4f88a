-- Numbers as people read them.
local words = {}

--- Seconds: "0.4 ms", "42 ms", "1.2 s", "3 m 05 s", "2 h 07 m".
---@param s number
---@return string
---@usage words.seconds(1.23) --> "1.2 s"
function words.seconds(s)
  if s < 0 then return "-" .. words.seconds(-s) end
  if s < 0.00005 then return "0 ms" end
  if s < 0.00095 then return ("%.1f ms"):format(s * 1000) end
  if s < 0.0995 then return ("%.0f ms"):format(s * 1000) end
  if s < 59.95 then return ("%.1f s"):format(s) end
  local whole = math.floor(s + 0.5)
  if whole < 3600 then return ("%d m %02d s"):format(whole // 60, whole % 60) end
  whole = math.floor(s / 60 + 0.5)
  if whole < 48 * 60 then return ("%d h %02d m"):format(whole // 60, whole % 60) end
  return ("%d days"):format(whole // 1440)
end

--- Bytes: "812 B", "4.0 KiB", "1.2 GiB".
---@param n number
---@return string
function words.bytes(n)
  local units, i = { "B", "KiB", "MiB", "GiB", "TiB" }, 1
  while n >= 1023.95 and i < #units do
    n = n / 1024
    i = i + 1
  end
  return i == 1 and ("%d B"):format(n) or ("%.1f %s"):format(n, units[i])
end

--- Tokens: "812 tokens", "12.3k tokens", "1.2M tokens".
---@param n number
---@return string
---@usage words.tokens(12345) --> "12.3k tokens"
function words.tokens(n)
  if n < 1000 then return words.count(math.floor(n), "token") end
  if n < 999950 then return ("%.1fk tokens"):format(n / 1000) end
  return ("%.1fM tokens"):format(n / 1e6)
end

--- Money: "$0.04", "$12.30"; a cent's part is not lost: "$0.0007".
---@param usd number
---@return string
function words.money(usd)
  if usd == 0 or usd >= 0.00995 then return ("$%.2f"):format(usd) end
  return ("$%.2g"):format(usd)
end

--- "1 step", "3 steps".
---@param n integer
---@param noun string
---@param plural? string
---@return string
function words.count(n, noun, plural)
  return ("%d %s"):format(n, n == 1 and noun or plural or noun .. "s")
end

--- From where changes are counted, and how many there are.
---@param changed { base?: string, merge_base?: string, why: string, files: string[] }
---@return string
function words.since(changed)
  local n = words.count(#changed.files, "changed file")
  if not changed.base then return ("%s; %s"):format(changed.why, n) end
  return ("since %s (%s; merge base %s), %s"):format(changed.base, changed.why,
    changed.merge_base:sub(1, 10), n)
end

--- How long ago: "just now", "5 minutes ago", "3 days ago".
---@param s number seconds
---@return string
function words.ago(s)
  if s < 10 then return "just now" end
  for _, u in ipairs({ { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } }) do
    if s >= u[1] then return words.count(math.floor(s / u[1]), u[2]) .. " ago" end
  end
end

--- Some names of a list: "a, b, c and 4 more".
---@param list string[]
---@param most? integer 5
---@return string
function words.some(list, most)
  most = most or 5
  if #list <= most then return table.concat(list, ", ") end
  return ("%s and %d more"):format(table.concat(list, ", ", 1, most), #list - most)
end

--- The first line of a text, cut to a width; what was cut is shown as "…".
---@param text string
---@param width integer
---@return string
function words.brief(text, width)
  local line = text:match("^%s*([^\n]*)") or ""
  local cut = #line < #text:gsub("%s+$", "") and line .. " …" or line
  return words.cut(cut, width)
end

--- How many columns a text takes; escapes take none, other characters one each.
---@param text string
---@return integer
function words.width(text)
  text = text:gsub("\27%[[%d;]*m", "")
  return utf8.len(text) or #text
end

--- A text of at most 'width' characters, cut with "…".
---@param text string without escapes
---@param width integer
---@return string
function words.cut(text, width)
  if (utf8.len(text) or #text) <= width then return text end
  if not utf8.len(text) then return text:sub(1, math.max(0, width - 1)) .. "…" end
  return text:sub(1, utf8.offset(text, math.max(1, width)) - 1) .. "…"
end

--- Lines of aligned columns; the last one is not padded.
---@param rows string[][]
---@param indent? string
---@return string[]
function words.columns(rows, indent)
  local widths, out = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, words.width(cell)) end
  end
  for n, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = i == #row and cell or cell .. (" "):rep(widths[i] - words.width(cell))
    end
    out[n] = ((indent or "") .. table.concat(cells, "  ")):gsub("%s+$", "")
  end
  return out
end

return words
