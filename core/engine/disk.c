/* disk: statfs, access, and one clone of a byte between unnamed files. */
#include "engine/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef ZFS_SUPER_MAGIC
#define ZFS_SUPER_MAGIC 0x2fc12fc1
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42u
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42u
#endif

static const char *name_of(unsigned long type)
{
    static const struct {
        unsigned long type;
        const char *name;
    } known[] = {
        {EXT4_SUPER_MAGIC, "ext4"},         {BTRFS_SUPER_MAGIC, "btrfs"},
        {XFS_SUPER_MAGIC, "xfs"},           {ZFS_SUPER_MAGIC, "zfs"},
        {F2FS_SUPER_MAGIC, "f2fs"},         {TMPFS_MAGIC, "tmpfs"},
        {OVERLAYFS_SUPER_MAGIC, "overlay"}, {NFS_SUPER_MAGIC, "nfs"},
        {CIFS_SUPER_MAGIC, "cifs"},         {SMB2_SUPER_MAGIC, "smb"},
        {FUSE_SUPER_MAGIC, "fuse"},         {V9FS_MAGIC, "9p"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].type == type)
            return known[i].name;
    return "";
}

static int clones(const char *dir)
{
    int a = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int b = a < 0 ? -1 : open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int ok = b >= 0 && write(a, "x", 1) == 1 && !ioctl(b, FICLONE, a);
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    return ok;
}

int orr_disk_look(const char *dir, struct orr_disk *out, struct orr_err *e)
{
    struct statfs st;
    if (statfs(dir, &st) < 0)
        return orr_err_errno(e, errno, "look at the file system of %s", dir);
    uint64_t unit = (uint64_t)st.f_bsize;
    *out = (struct orr_disk){.type = name_of((unsigned long)st.f_type),
                             .size = unit * st.f_blocks,
                             .free = unit * st.f_bavail,
                             .clones = clones(dir)};
    return 0;
}

int orr_disk_may(const char *path, int how)
{
    return !faccessat(AT_FDCWD, path, how, AT_EACCESS);
}
