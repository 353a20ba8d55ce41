# The mended places of GNS. Its sources are compiled from a copy of their folder; the original stays as it was checked.
# Each edit says what goes wrong without it; README.md names the tests that cover them.
set(GNS_ORIGINAL ${GNS_SOURCE}/src/steamnetworkingsockets)
set(GNS_MENDED ${CMAKE_CURRENT_BINARY_DIR}/gns_mended)
set(GNS_MEND_FROM ${GNS_ORIGINAL})
set(GNS_MEND_TO ${GNS_MENDED})
set(gns_mended_files "")

# gns_mend(file original mended [original mended ...])
function(gns_mend file)
  set(copy ${GNS_MEND_TO}/${file})
  if(file IN_LIST gns_mended_files)
    file(READ ${copy} text)
  else()
    file(READ ${GNS_MEND_FROM}/${file} text)
  endif()
  foreach(index RANGE 1 ${ARGC} 2)
    if(index EQUAL ARGC)
      break()
    endif()
    math(EXPR next "${index} + 1")
    string(FIND "${text}" "${ARGV${index}}" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "${file} has no \"${ARGV${index}}\" to mend: is this another GNS?")
    endif()
    string(REPLACE "${ARGV${index}}" "${ARGV${next}}" text "${text}")
  endforeach()
  file(CONFIGURE OUTPUT ${copy} CONTENT "${text}" @ONLY) # changes the time only if the contents change
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${GNS_MEND_FROM}/${file})
  set(gns_mended_files ${gns_mended_files} ${file} PARENT_SCOPE)
endfunction()

# The buckets of the simulated rate limit (fake_rate_limit_...) start with INT_MAX bytes and are first checked when they are
# empty: unmended, a limit begins after 2 GiB. Empty at the start, they are filled, up to the burst, for the first packet.
#
# GNS wakes the thread that polls whenever it wants to be served earlier than planned: unmended, through a pair of sockets, three
# or four times a round trip, even if the polling thread itself makes the plan. Now it asks a hook first
# (core/gns/service_hook.hpp).
#
# The thread that serves sleeps outside of GNS, on GNS's descriptor for its sockets (ServicePollDescriptor), and can do what is due
# without a look at them (ServiceThinkers): unmended, both are out of reach.
#
# After a look at the sockets GNS looks again for more. Each socket is read until it is empty, so unmended, the second look finds
# nothing and costs a system call. Now it looks again only if there were more sockets with packets than one look reports.
set(socketthread "_tokens = (double)INT_MAX" "_tokens = 0.0")
# Without a descriptor for epoll GNS does not start: unmended, its wake-up sockets stay open, and it takes the next start for
# a bug.
set(no_epoll "if ( s_epollfd == INVALID_EPOLL_HANDLE )")
list(APPEND socketthread "${no_epoll}" "${no_epoll}
			{
				closesocket( s_hSockWakeThreadRead )\;
				closesocket( s_hSockWakeThreadWrite )\;
				s_hSockWakeThreadRead = s_hSockWakeThreadWrite = INVALID_SOCKET\;
			}
			${no_epoll}")
# On Windows its exit handler would run too late, and might wait forever for a lock: see flags.cmake.
if(WIN32)
  list(APPEND socketthread "atexit( []{" "(void)( []{")
endif()
# A visit to a socket takes several packets with one call, and has an end (core/gns/packet_batch.hpp): unmended, a single packet
# costs two calls, and a visit lasts as long as packets arrive faster than they are processed. The clock is not read to find out
# that there is no packet.
list(APPEND socketthread
  "static bool DrainSocket( CRawUDPSocketImpl *pSock )\n{" [=[static bool DrainSocket( CRawUDPSocketImpl *pSock )
{
	#ifndef _WIN32
		gns_core::PacketBatch batch\;
	#endif]=]
  "ret = ::recvmsg( pSock->m_socket, &msg, 0 )\;" [=[ret = (int)batch.next( pSock->m_socket, msg )\;
			if ( ret < 0 )
				break\;
			iov_buf = *msg.msg_iov\;]=]
  "info.m_pPkt = buf\;" "info.m_pPkt = iov_buf.iov_base\;")
# A socket that is bound to all addresses of the host answers from the one that a packet was sent to: unmended, from the one
# that the routes prefer, and a client that used another gets no connection. How, and what is remembered:
# core/gns/reply_address.hpp.
gns_mend(clientlib/steamnetworkingsockets_socketthread.cpp ${socketthread}
  "#include <tier0/valve_tracelogging.h>" [=[#include <tier0/valve_tracelogging.h>
#include <gns/reply_address.hpp>
#include <gns/service_hook.hpp>

std::atomic<gns_core::ServiceHook> gns_core::service_hook{ nullptr };]=]
  # who serves
  "void WakeServiceThread()" [=[void WakePoll();

void WakeServiceThread()
{
	if ( !gns_core::service_wanted( 0 ) )
		WakePoll();
}

void WakePoll()]=]
  "num_epoll_events = epoll_wait( s_epollfd, epoll_events, V_ARRAYSIZE( epoll_events ), 0 );" [=[if ( num_epoll_events < (int)V_ARRAYSIZE( epoll_events ) )
				break;
			num_epoll_events = epoll_wait( s_epollfd, epoll_events, V_ARRAYSIZE( epoll_events ), 0 );]=]
  "} // namespace SteamNetworkingSocketsLib" [=[int ServicePollDescriptor()
{
	#if defined( USE_EPOLL ) && IsLinux()
		return s_epollfd;
	#else
		return -1;
	#endif
}

void ServiceThinkers()
{
	IThinker::Thinker_ProcessThinkers();
	ProcessDeferredOperations();
}

} // namespace SteamNetworkingSocketsLib]=]
  # a socket for all addresses of the host
  "SOCKET m_socket;" "SOCKET m_socket;\n\tgns_core::ReplyAddress m_reply;"
  "pSock->m_nAddressFamilies = nAddressFamilies;" [=[pSock->m_nAddressFamilies = nAddressFamilies;
	if ( pAddrLocal && ( addrLocal.IsIPv6AllZeros() || ( addrLocal.IsIPv4() && addrLocal.GetIPv4() == 0 ) ) )
		pSock->m_reply.ask( sock, addrBound.ss_family == AF_INET6 );]=]
  # receiving
  "char buf_control[ 64 ]" "alignas( cmsghdr ) char buf_control[ gns_core::control_bytes ]"
  "// Check for tracing" "pSock->m_reply.received( msg, info.m_adrFrom );\n\n\t\t// Check for tracing"
  # sending
  "if ( nChunks == 1 )" "const gns_core::OwnAddress from = m_reply.answer( adrTo );\n\t\t\tif ( nChunks == 1 && from.any() )"
  "sendmsg( m_socket, &msg, 0 )" "gns_core::send_from( from, m_socket, &msg, 0 )"
  "WSASendMsg(" "gns_core::send_from( m_reply.answer( adrTo ),"
  # packets that simulated lag holds back, either way
  "CPacketLagger *m_pLaggerOwner = nullptr;" "CPacketLagger *m_pLaggerOwner = nullptr;\n\tgns_core::OwnAddress m_reply;"
  "CLaggedPacket *pkt = new CLaggedPacket( pSock, adr, usecTime, cbPkt, tos );" [=[CLaggedPacket *pkt = new CLaggedPacket( pSock, adr, usecTime, cbPkt, tos );
		pkt->m_reply = pSock->m_reply.answer( adr );]=]
  "ProcessPacket( *p );" "pSock->m_reply.received( p->m_reply, p->m_info.m_adrFrom );\n\t\t\t\t\tProcessPacket( *p );"
  # the beginning and the end of a connection
  "m_mapRemoteHosts.Insert( adrRemote, pRemoteHost );" [=[m_mapRemoteHosts.Insert( adrRemote, pRemoteHost );
	static_cast<CRawUDPSocketImpl *>( m_pRawSock )->m_reply.keep( adrRemote );]=]
  "delete m_mapRemoteHosts[ idx ];" [=[if ( m_pRawSock )
		static_cast<CRawUDPSocketImpl *>( m_pRawSock )->m_reply.forget( m_mapRemoteHosts[ idx ]->GetRemoteHostAddr() );
	delete m_mapRemoteHosts[ idx ];]=])
gns_mend(steamnetworkingsockets_thinker.cpp
  "#include <tier1/utlpriorityqueue.h>" "#include <tier1/utlpriorityqueue.h>\n#include <gns/service_hook.hpp>"
  "WakeServiceThread();" "if ( !gns_core::service_wanted( m_usecNextThinkTime ) )\n\t\t\t\tWakeServiceThread();")
set(reply_address ${PROJECT_SOURCE_DIR}/core/gns/reply_address.cpp)
target_sources(GameNetworkingSockets_s PRIVATE ${reply_address})
# GNS is compiled without exceptions; one from here, for lack of memory, must not fly through it.
set_source_files_properties(${reply_address} TARGET_DIRECTORY GameNetworkingSockets_s PROPERTIES COMPILE_OPTIONS -fexceptions)
target_include_directories(GameNetworkingSockets_s PRIVATE ${PROJECT_SOURCE_DIR}/core)

# When lanes are configured, each gets the number of its priority class, but the first one of the most urgent class keeps the
# number that it had. That is 0, as it should be, only if it was never in another class: unmended, configuring lanes [0, 1] as
# [1, 0] puts both in one class, and [1, 0] as [0, 0] writes beyond the classes, after which nothing is sent.
#
# Selecting a lane from 8 on takes a byte and a number: unmended, one byte less is sent than was written, and the peer ends the
# connection.
#
# Data to be sent again is kept in order by a search from the beginning for each piece: unmended, it takes half a second each
# time that all of 16,384 pieces are late, and meanwhile nothing is sent or received on any connection of the process. With a
# search from both ends at once, the place is found at the first step in most cases: it is the end.
#
# Reliable data is received by our own gns/receive_reliable.hpp, which says why, and kept in gns/reliable_stream.hpp.
#
# Lanes go from 0 to 254, and a sender is held to that; unmended, a receiver also takes lane 255, which a sender cannot have.
#
# A message number that arrives as the difference from the last one is not checked: unmended, it exceeds what an int64 holds, and
# so does the distance in a "stop waiting".
#
# Pieces of unreliable messages wait for the others, 21 of 1.3 KiB in each lane: unmended, 7 MiB in 256 lanes. Now at most 512
# wait on a connection; the lane that has the most loses its oldest message. (No one needs more: a message has at most 15, and
# what was lost is not sent again.)
#
# A range that a peer reports as lost is searched from the newest packet in flight backwards, each time that it is reported:
# unmended, a packet of 1,200 bytes that reports it 200 times costs 200 times the number of packets in flight. An honest peer
# reports it once per packet; packets already known to be lost are now skipped after 512 steps.
set(first_loop "for ( int j = 1 ; j < nLanes ; ++j )")
set(nack_loop "while ( inFlightPkt->first >= nPktNumNackBegin )")
gns_mend(clientlib/steamnetworkingsockets_snp.h
  "#include <set>" "#include <set>\n#include <reliable_stream.hpp>"
  "		int64 m_nReliableStreamPos = 1;" "		gns_mended::ReliableStream m_reliableStream;"
  "		std_vector<byte> m_bufReliableStream;" ""
  "		std_map<int64,int64> m_mapReliableStreamGaps;" ""
  "	/// Each lane has its own reliable stream" "	gns_mended::StreamBudget m_streamBudget;\n")
gns_mend(clientlib/steamnetworkingsockets_snp.cpp
  "bool CSteamNetworkConnectionBase::SNP_ReceiveReliableSegment(" "#include <receive_reliable.hpp>\n#if 0\nvoid SNP_ReceiveReliableSegment("
  "void CSteamNetworkConnectionBase::SNP_RecordReceivedPktNum(" "#endif\nvoid CSteamNetworkConnectionBase::SNP_RecordReceivedPktNum("
  "pCurrentLane->m_nReliableStreamPos + len( pCurrentLane->m_bufReliableStream )" "pCurrentLane->m_reliableStream.end()"
  "l.m_bufReliableStream.empty()" "l.m_reliableStream.empty()"
  "if ( nLane > STEAMNETWORKINGSOCKETS_MAX_LANES )" "if ( nLane >= STEAMNETWORKINGSOCKETS_MAX_LANES )"
  "nCurMsgNumForUnreliable += nMsgNumOffset;" [=[if ( nMsgNumOffset > UINT32_MAX )
						DECODE_ERROR( "Unreliable message number jumps by %llu", (unsigned long long)nMsgNumOffset );
					nCurMsgNumForUnreliable += nMsgNumOffset;]=]
  "if ( nCurMsgNumForUnreliable > pCurrentLane->m_nHighestSeenMsgNum )" [=[if ( nCurMsgNumForUnreliable > INT64_MAX/2 )
				DECODE_ERROR( "Unreliable message number %lld", (long long)nCurMsgNumForUnreliable );
			if ( nCurMsgNumForUnreliable > pCurrentLane->m_nHighestSeenMsgNum )]=]
  "			++nOffset;" [=[			if ( nOffset < 0 || nOffset == INT64_MAX )
				DECODE_ERROR( "stop_waiting offset %lld", (long long)nOffset );
			++nOffset;]=]
  "	// Message fragment.  Find/insert the entry in our reassembly queue" [=[	constexpr size_t k_nMostSegments = 512;
	size_t nSegments = 0;
	SSNPReceiverState::Lane *pFullest = &lane;
	for ( SSNPReceiverState::Lane &other: m_receiverState.m_vecLanes )
	{
		nSegments += other.m_mapUnreliableSegments.size();
		if ( other.m_mapUnreliableSegments.size() > pFullest->m_mapUnreliableSegments.size() )
			pFullest = &other;
	}
	if ( nSegments >= k_nMostSegments )
	{
		auto &segments = pFullest->m_mapUnreliableSegments;
		const int64 nOldest = segments.begin()->first.m_nMsgNum;
		while ( !segments.empty() && segments.begin()->first.m_nMsgNum == nOldest )
			segments.erase( segments.begin() );
	}
	// Message fragment.  Find/insert the entry in our reassembly queue]=]
  "	int nSegmentLimitRemaining =" "	int nAckFramesLeft = 2;\n	int nKnownNacksLeft = 512;\n	int nSegmentLimitRemaining ="
  "			// Parse latest received sequence number" [=[			if ( nAckFramesLeft-- <= 0 )
				DECODE_ERROR( "Too many acks in one packet" );
			// Parse latest received sequence number]=]
  "${nack_loop}" "while ( inFlightPkt->first >= nPktNumNackBegin && ( !inFlightPkt->second.m_bNack || nKnownNacksLeft-- > 0 ) )"
  "				// Continue on to the the next older block" [=[				if ( inFlightPkt->first >= nPktNumNackBegin )
					inFlightPkt = std::prev( m_senderState.m_mapInFlightPacketsByPktNum.lower_bound( nPktNumNackBegin ) );
				// Continue on to the the next older block]=]
  "${first_loop}" "m_senderState.m_vecLanes[ pPriorityClass[0].m_idxLane ].m_idxPriorityClass = 0;\n\t\t${first_loop}"
  "m_cbHdr = p - &pNewLane->m_hdr[1]" "m_cbHdr = p - &pNewLane->m_hdr[0]"
  "while ( hLinkBefore != m_senderState.m_listReadyRetryReliableRange.InvalidIndex() )" [=[uint16 hNextFromBack = m_senderState.m_listReadyRetryReliableRange.InvalidIndex();
		uint16 hFromBack = m_senderState.m_listReadyRetryReliableRange.Tail();
		while ( hLinkBefore != m_senderState.m_listReadyRetryReliableRange.InvalidIndex() )]=]
  "hLinkBefore = m_senderState.m_listReadyRetryReliableRange.Next( hLinkBefore );" [=[SNPSendReliableSegment_t &segFromBack = m_senderState.m_listSentReliableSegments[ m_senderState.m_listReadyRetryReliableRange[ hFromBack ] ];
			if ( segFromBack.m_pMsg->m_idxLane == relSeg.m_pMsg->m_idxLane )
			{
				if ( segFromBack.begin() < relSeg.begin() )
				{
					hLinkBefore = hNextFromBack;
					break;
				}
				hNextFromBack = hFromBack;
			}
			hFromBack = m_senderState.m_listReadyRetryReliableRange.Previous( hFromBack );

			hLinkBefore = m_senderState.m_listReadyRetryReliableRange.Next( hLinkBefore );]=])

# Between two checks of the sockets, GNS does what is due until nothing is due. A connection whose packets take longer to make
# than its rate allows for each is always due: unmended, 10,000 packets are sent before the next is received, which takes up to
# ten seconds on a busy machine, and what is acknowledged meanwhile is sent again. Now it does only what was due before.
gns_mend(steamnetworkingsockets_thinker.cpp
  "int nIterations = 0;" "int nIterations = 0;\n\tconst SteamNetworkingMicroseconds usecBegin = SteamNetworkingSockets_GetLocalTimestamp();"
  "GetNextThinkTime() >= usecNow" "GetNextThinkTime() >= usecBegin")

# The lower bits in a packet select one of GNS's own numbers, by a difference in 32 or 16 bits: unmended, bytes that no honest
# peer sends make it overflow, which C++ does not define.
gns_mend(steamnetworkingsockets_internal.h
  "T nDiff = nLowerBits - T( nReference );" "T nDiff = (T)( (uint64)nLowerBits - (uint64)nReference );")

# The core decides which peers may connect (core/gns/admission_hook.hpp), once it is known that the address is not forged, and
# before a connection is made and keys are exchanged: unmended, each request of a stranger costs all of that, and one of 8,191
# places. A refused peer gets the kind of answer that one with the number of another connection gets.
set(udp clientlib/steamnetworkingsockets_udp.cpp)
set(transport CConnectionTransport)
gns_mend(${udp}
  "\nnamespace SteamNetworkingSocketsLib {" [=[

#include <gns/admission_hook.hpp>

gns_core::AdmissionHook *gns_core::admission_hook = nullptr;

namespace SteamNetworkingSocketsLib {]=]
  [=[ReportBadPacket( "ConnectRequest", "Missing connection ID" );
		return;
	}]=] [=[ReportBadPacket( "ConnectRequest", "Missing connection ID" );
		return;
	}

	uint8 argubFrom[16];
	adrFrom.GetIPV6( argubFrom );
	if ( gns_core::admission_hook )
	{
		const gns_core::AdmissionHook::Answer answer = gns_core::admission_hook->request( m_hListenSocketSelf, argubFrom, usecNow );
		if ( !answer.admit )
		{
			if ( answer.text )
			{
				CMsgSteamSockets_UDP_ConnectionClosed msgRefusal;
				msgRefusal.set_to_connection_id( unClientConnectionID );
				msgRefusal.set_reason_code( answer.reason );
				msgRefusal.set_debug( answer.text );
				SendPaddedMsg( k_ESteamNetworkingUDPMsg_ConnectionClosed, msgRefusal, adrFrom );
			}
			return;
		}
	}]=]
  "pConn->m_statsEndToEnd.TrackRecvPacket( cbPkt, usecNow );" [=[pConn->m_statsEndToEnd.TrackRecvPacket( cbPkt, usecNow );
	if ( gns_core::admission_hook )
		gns_core::admission_hook->begin( m_hListenSocketSelf, pConn->m_hConnectionSelf, argubFrom, usecNow );]=]
  "// This is a valid packet." [=[// The connect request was number 1.
	if ( m_connection.m_statsEndToEnd.m_nMaxRecvPktNum <= 1 && gns_core::admission_hook )
		gns_core::admission_hook->heard( m_connection.m_hConnectionSelf );

	// This is a valid packet.]=]
  "${transport}::TransportConnectionStateChanged( eOldState );" [=[CConnectionTransport::TransportConnectionStateChanged( eOldState );
	if ( gns_core::admission_hook )
	{
		const ESteamNetworkingConnectionState eState = ConnectionState();
		if ( eState == k_ESteamNetworkingConnectionState_FinWait || eState == k_ESteamNetworkingConnectionState_ClosedByPeer || eState == k_ESteamNetworkingConnectionState_ProblemDetectedLocally )
			gns_core::admission_hook->end( m_connection.m_hConnectionSelf, eState == k_ESteamNetworkingConnectionState_FinWait );
	}]=]
  "${transport}::TransportFreeResources();" [=[CConnectionTransport::TransportFreeResources();
	if ( gns_core::admission_hook )
		gns_core::admission_hook->forget( m_connection.m_hConnectionSelf );]=])
set_property(SOURCE ${CMAKE_CURRENT_BINARY_DIR}/gns_mended/${udp} TARGET_DIRECTORY GameNetworkingSockets_s
  APPEND PROPERTY INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/core)

# A message that overtook another on its lane is put where its number belongs, if that is not handed out yet. The place is
# searched from the end: unmended, without a limit, so that messages whose numbers go down, or which arrive on a lane that was
# not used for a while, each cost a walk through everything that waits. A message that overtook more than 64 now stays where it
# is, as it does if the others have been handed out.
#
# A message is refused if there is no memory for its data; unmended, a null pointer is written to. If there is none for the
# rest, unmended, an exception flies through GNS and leaves its locks locked.
gns_mend(clientlib/steamnetworkingsockets_connections.cpp
  "CSteamNetworkingMessage *pMsg = new CSteamNetworkingMessage;" [=[CSteamNetworkingMessage *pMsg = new (std::nothrow) CSteamNetworkingMessage;
	if ( !pMsg )
	{
		SpewError( "Failed to allocate a message" );
		return nullptr;
	}]=]
  "const uint16 idxLane = pMsg->m_idxLane;" "const uint16 idxLane = pMsg->m_idxLane;\n\t\tint nStepsLeft = 64;"
  "			while ( pMsgInsertBefore->m_idxLane != idxLane )\n\t\t\t{" [=[			while ( pMsgInsertBefore->m_idxLane != idxLane )
			{
				if ( --nStepsLeft < 0 )
					goto add_to_tail;]=]
  "			Assert( ptr->m_links.m_pQueue == &m_queueRecvMessages );\n" [=[			Assert( ptr->m_links.m_pQueue == &m_queueRecvMessages );
			if ( --nStepsLeft < 0 )
				goto add_to_tail;
]=])

include(cmake/gns_mended_certificates.cmake)
include(cmake/gns_mended_p2p.cmake)
include(cmake/gns_mended_candidates.cmake)
include(cmake/gns_mended_route.cmake)

# A lock that is waited for with a limit is nearly always free: unmended, the time is read for each, to compute when the limit
# would be over, which is a third of all readings of the clock while messages are sent and received.
set(limited "m_impl.try_lock_for( std::chrono::milliseconds( msTimeout ) )")
gns_mend(clientlib/steamnetworkingsockets_lowlevel.h "!${limited}" "!m_impl.try_lock() && !${limited}")

# Copies the rest unchanged next to what is mended, so that all find the same headers.
file(GLOB files RELATIVE ${GNS_ORIGINAL} CONFIGURE_DEPENDS
  ${GNS_ORIGINAL}/*.cpp ${GNS_ORIGINAL}/*.h ${GNS_ORIGINAL}/clientlib/*.cpp ${GNS_ORIGINAL}/clientlib/*.h)
list(REMOVE_ITEM files ${gns_mended_files})
foreach(file IN LISTS files)
  configure_file(${GNS_ORIGINAL}/${file} ${GNS_MENDED}/${file} COPYONLY)
endforeach()
get_target_property(sources GameNetworkingSockets_s SOURCES)
list(TRANSFORM sources REPLACE "^(.*/)?steamnetworkingsockets/" ${GNS_MENDED}/)
set_property(TARGET GameNetworkingSockets_s PROPERTY SOURCES ${sources})
target_include_directories(GameNetworkingSockets_s PRIVATE ${PROJECT_SOURCE_DIR}/gns)
