-- Numbers as people read them.
local words = {}

--- Seconds: "0.42 s", "12.3 s", "3 m 05 s", "2 h 07 m".
---@param s number
---@return string
function words.seconds(s)
  if s < 0.001 then return ("%.2f ms"):format(s * 1000) end
  if s < 0.1 then return ("%.0f ms"):format(s * 1000) end
  if s < 9.995 then return ("%.2f s"):format(s) end
  if s < 60 then return ("%.1f s"):format(s) end
  if s < 3600 then return ("%d m %02d s"):format(s // 60, s % 60 // 1) end
  return ("%d h %02d m"):format(s // 3600, s % 3600 // 60)
end

--- Bytes: "812 B", "4.0 KiB", "1.2 GiB".
---@param n number
---@return string
function words.bytes(n)
  local units, i = { "B", "KiB", "MiB", "GiB", "TiB" }, 1
  while n >= 1024 and i < #units do
    n = n / 1024
    i = i + 1
  end
  return i == 1 and ("%d B"):format(n) or ("%.1f %s"):format(n, units[i])
end

--- "1 step", "3 steps".
---@param n integer
---@param noun string
---@param plural? string
---@return string
function words.count(n, noun, plural)
  return ("%d %s"):format(n, n == 1 and noun or plural or noun .. "s")
end

return words
