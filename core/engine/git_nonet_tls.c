/*
 * git_nonet_tls: the two stand-ins that must do something. libgit2 allocates
 * these structs when it starts, has them initialised, and frees what they point
 * to; left as they are they would make it free garbage. Apart from git_nonet.c
 * because the real headers declare the functions that file replaces.
 */
#include <string.h>

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

void mbedtls_ssl_config_init(mbedtls_ssl_config *conf)
{
    memset(conf, 0, sizeof *conf);
}

void mbedtls_x509_crt_init(mbedtls_x509_crt *crt)
{
    memset(crt, 0, sizeof *crt);
}
