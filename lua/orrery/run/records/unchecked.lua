-- At the end of a run: which gates of steps that passed could not be checked.
local unchecked = {}

--- Says so in the journal.
---@param run orrery.Run
function unchecked.announce(run)
  local ids, seen, first = {}, {}, nil
  for _, u in ipairs(run.workflow.unchecked or {}) do
    local r = run.results[u.id]
    if r and r.ok and not seen[u.id] then
      seen[u.id], first = true, first or u
      ids[#ids + 1] = u.id
    end
  end
  if #ids == 0 then return end
  run.journal:emit({ ev = "message", level = "warning", place = first.place,
    text = ("%d gate%s passed unchecked: step%s %s (%s%s)"):format(#ids, #ids == 1 and "" or "s",
      #ids == 1 and "" or "s", table.concat(ids, ", "), first.text, #ids > 1 and ", …" or ""),
    hint = "add what is missing, or make it an error with --strict" })
end

return unchecked
