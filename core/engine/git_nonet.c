/*
 * git_nonet: libgit2 without a network. Its archive asks for libssh2, mbedTLS
 * and GSSAPI, of which nothing here ever calls a function: Orrery reads
 * repositories, it fetches none. These stand-ins satisfy the linker; they save
 * 1.3 MB and the 5 to 8 ms in which mbedTLS parses the system's certificates at
 * git_libgit2_init. Debian ships no static GSSAPI, so a static link needs them.
 *
 * What libgit2 calls while it starts succeeds; what only a connection would
 * call fails, as does loading certificates. Arguments are ignored, but for two
 * functions in git_nonet_tls.c. The list is exact: a missing symbol fails the
 * link, one too many fails scripts/check_nonet.lua.
 */
#include <stddef.h>

/* clang-format off */
#define OK(name) int name(void); int name(void) { return 0; }
#define FAIL(name) int name(void); int name(void) { return -1; }
#define NOTHING(name) void name(void); void name(void) {}
#define NONE(name) void *name(void); void *name(void) { return NULL; }

extern void *GSS_C_NT_HOSTBASED_SERVICE;
void *GSS_C_NT_HOSTBASED_SERVICE = NULL;

FAIL(gss_delete_sec_context)
FAIL(gss_display_status)
FAIL(gss_import_name)
FAIL(gss_indicate_mechs)
FAIL(gss_init_sec_context)
FAIL(gss_release_buffer)
FAIL(gss_release_name)
FAIL(gss_release_oid_set)

FAIL(libssh2_agent_connect)
FAIL(libssh2_agent_disconnect)
NOTHING(libssh2_agent_free)
FAIL(libssh2_agent_get_identity)
NONE(libssh2_agent_init)
FAIL(libssh2_agent_list_identities)
FAIL(libssh2_agent_userauth)
FAIL(libssh2_channel_close)
FAIL(libssh2_channel_free)
NONE(libssh2_channel_open_ex)
FAIL(libssh2_channel_process_startup)
FAIL(libssh2_channel_read_ex)
FAIL(libssh2_channel_set_blocking)
FAIL(libssh2_channel_write_ex)
NOTHING(libssh2_exit)
NONE(libssh2_hostkey_hash)
OK(libssh2_init)
FAIL(libssh2_knownhost_checkp)
NOTHING(libssh2_knownhost_free)
NONE(libssh2_knownhost_init)
FAIL(libssh2_knownhost_readfile)
NONE(libssh2_session_abstract)
FAIL(libssh2_session_disconnect_ex)
FAIL(libssh2_session_free)
FAIL(libssh2_session_handshake)
NONE(libssh2_session_hostkey)
NONE(libssh2_session_init_ex)
FAIL(libssh2_session_last_error)
FAIL(libssh2_session_method_pref)
NOTHING(libssh2_session_set_blocking)
FAIL(libssh2_userauth_authenticated)
FAIL(libssh2_userauth_keyboard_interactive_ex)
NONE(libssh2_userauth_list)
FAIL(libssh2_userauth_password_ex)
FAIL(libssh2_userauth_publickey)
FAIL(libssh2_userauth_publickey_fromfile_ex)
FAIL(libssh2_userauth_publickey_frommemory)

FAIL(mbedtls_ssl_close_notify)
NOTHING(mbedtls_ssl_conf_authmode)
NOTHING(mbedtls_ssl_conf_ca_chain)
NOTHING(mbedtls_ssl_conf_ciphersuites)
NOTHING(mbedtls_ssl_conf_min_version)
NOTHING(mbedtls_ssl_conf_rng)
OK(mbedtls_ssl_config_defaults)
NOTHING(mbedtls_ssl_config_free)
NOTHING(mbedtls_ssl_free)
FAIL(mbedtls_ssl_get_ciphersuite_id)
NONE(mbedtls_ssl_get_peer_cert)
FAIL(mbedtls_ssl_get_verify_result)
FAIL(mbedtls_ssl_handshake)
NOTHING(mbedtls_ssl_init)
FAIL(mbedtls_ssl_read)
NOTHING(mbedtls_ssl_set_bio)
FAIL(mbedtls_ssl_set_hostname)
FAIL(mbedtls_ssl_setup)
FAIL(mbedtls_ssl_write)
NOTHING(mbedtls_x509_crt_free)
FAIL(mbedtls_x509_crt_parse_file)
FAIL(mbedtls_x509_crt_parse_path)
FAIL(mbedtls_x509_crt_verify_info)
/* clang-format on */
