local fs = require("orrery.core.fs")
local store = require("orrery.core.store")

-- As many outputs as the peers' workload has, put back right after they were removed; in a
-- root with a state directory, and in one without, where each is written beside its place.
local COUNT = 3270

return {
  claim = "outputs that were just removed are put back at what making small files costs",
  peer = "none",
  run = function(b)
    local count = b.quick and 330 or COUNT
    for _, kind in ipairs { "staged", "beside" } do
      local root = ("%s/restore-%s"):format(b.dir, kind)
      assert(fs.mkdir(root .. (kind == "staged" and "/.orrery" or "")))
      local items = {}
      do
        local s <close> = assert(store.open(b.dir .. "/restore-cache"))
        for i = 1, count do
          local dir = ("p%d/dist"):format(i // 3)
          assert(fs.mkdir(root .. "/" .. dir))
          items[i] = { rel = ("%s/%d.txt"):format(dir, i), mode = 420,
            digest = assert(s:put_blob(("p%d\n"):format(i):rep(20))) }
        end
      end
      for _, threads in ipairs { 1, 2 } do
        b:time(("a file, %s, %d threads"):format(kind, threads), function(n)
          for _, item in ipairs(items) do fs.remove(root .. "/" .. item.rel) end
          local s <close> = assert(store.open(b.dir .. "/restore-cache"))
          assert(s:restore_many(root, items, threads) == n)
        end, { n = count, rounds = 3, once = true })
      end
    end
  end,
}
