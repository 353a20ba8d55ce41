# The mended places that concern certificates and refused handshakes. Included by gns_mended.cmake.

# A server that refuses a handshake, because of the certificate for example, says so: unmended, the client hears nothing, and
# fails after its timeout without a reason. The client has proved that it receives at its address, so nothing is amplified.
gns_mend(${udp}
  "if ( RecvCryptoHandshake( msgCert, msgCryptSessionInfo, true, errMsg ) != k_ESteamNetConnectionEnd_Invalid )"
  "m_eEndReason = RecvCryptoHandshake( msgCert, msgCryptSessionInfo, true, errMsg );\n\tif ( m_eEndReason != k_ESteamNetConnectionEnd_Invalid )"
  "		SpewWarning( \"Failed to accept connection from %s." [=[		const ESteamNetConnectionEnd eReason = pConn->GetConnectionEndReason();
		CMsgSteamSockets_UDP_ConnectionClosed msgRefusal;
		msgRefusal.set_to_connection_id( unClientConnectionID );
		msgRefusal.set_reason_code( eReason ? eReason : k_ESteamNetConnectionEnd_Misc_Generic );
		msgRefusal.set_debug( errMsg );
		SendPaddedMsg( k_ESteamNetworkingUDPMsg_ConnectionClosed, msgRefusal, adrFrom );
		SpewWarning( "Failed to accept connection from %s.]=])

# A program that knows which peers it wants is asked once a peer's certificate and the signature of the handshake have been
# checked (core/gns/peer_hook.hpp): unmended, it learns who the peer is only when the connection is established, and by then the
# peer has been told everything. Unlike IP_AllowWithoutAuth, which is a number, the answer has a reason and a text, and concerns
# loopback and the other transports, too.
set(connections clientlib/steamnetworkingsockets_connections.cpp)
gns_mend(${connections}
  "\nnamespace SteamNetworkingSocketsLib {\n" [=[

#include <gns/peer_hook.hpp>

gns_core::PeerHook *gns_core::peer_hook = nullptr;

namespace SteamNetworkingSocketsLib {
]=]
  "	const CertAuthScope *pCACertAuthScope = nullptr;\n" [=[	const CertAuthScope *pCACertAuthScope = nullptr;
	SteamNetworkingErrMsg certErrMsg = "";
]=]
  "			// We might allow this\n" "			V_strcpy_safe( certErrMsg, tmpErrMsg );\n\n			// We might allow this\n"
  "m_bRemoteCertHasTrustedCASignature = ( pCACertAuthScope != nullptr );" [=[m_bRemoteCertHasTrustedCASignature = ( pCACertAuthScope != nullptr );
	if ( gns_core::peer_hook )
	{
		gns_core::PeerHook::Peer peer;
		peer.connection = m_hConnectionSelf;
		peer.listen_socket = m_pParentListenSocket ? m_pParentListenSocket->m_hListenSocketSelf : k_HSteamListenSocket_Invalid;
		peer.identity = &m_identityRemote;
		peer.key = (const uint8_t *)m_msgCertRemote.key_data().data();
		peer.expires = m_msgCertRemote.time_expiry();
		peer.trusted = m_bRemoteCertHasTrustedCASignature;
		peer.problem = certErrMsg;
		const int32_t nReason = gns_core::peer_hook->check( peer, errMsg, sizeof( errMsg ) );
		if ( nReason )
			return (ESteamNetConnectionEnd)nReason;
	}]=])
set_property(SOURCE ${CMAKE_CURRENT_BINARY_DIR}/gns_mended/${connections} TARGET_DIRECTORY GameNetworkingSockets_s
  APPEND PROPERTY INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/core)

# The program's own roots are trusted, instead of Valve's, which has signed nothing that this GNS can verify. A certificate that
# begins to be valid later is not valid yet, with five minutes for clocks that differ: unmended, the beginning is not looked at.
gns_mend(steamnetworkingsockets_certstore.cpp
  "	// Check if their key has specifically been revoked.\n" [=[	const long long nSecondsTooEarly = (long long)outMsgCert.time_created() - (long long)timeNow;
	if ( nSecondsTooEarly > 300 )
	{
		V_sprintf_safe( errMsg, "Cert is not valid for another %lld seconds", nSecondsTooEarly );
		return nullptr;
	}

	// Check if their key has specifically been revoked.
]=])
set_property(SOURCE ${CMAKE_CURRENT_BINARY_DIR}/gns_mended/steamnetworkingsockets_certstore.cpp
  TARGET_DIRECTORY GameNetworkingSockets_s
  APPEND PROPERTY COMPILE_DEFINITIONS STEAMNETWORKINGSOCKETS_ALLOW_DYNAMIC_SELFSIGNED_CERTS)
