import type { MadeCa } from '../../app/proxy-ca.ts';
import { settingVariable } from '../../app/settings.ts';

/** Where a new CA is, and what to do with it. */
export function madeCaText({ certFile, keyFile, fingerprint, expires }: MadeCa): string {
  return `A CA for the forward proxy, good until ${expires.slice(0, 10)}:
  certificate  ${certFile}
  key          ${keyFile} (whoever reads it can pretend to be any server to those clients)
  SHA-256      ${fingerprint}

1. Start the daemons of the hosts with both, or put them into their configuration:
     --proxy-ca-cert ${certFile} --proxy-ca-key ${keyFile}
     ${settingVariable('proxy-ca-cert')}, ${settingVariable('proxy-ca-key')}
2. Have clients trust the certificate.
   Docker, for one registry:
     install -D -m 644 ${certFile} /etc/docker/certs.d/REGISTRY/ca.crt
   every program of a Debian machine that reads the system's certificates:
     install -m 644 ${certFile} /usr/local/share/ca-certificates/shoal.crt && update-ca-certificates
`;
}
