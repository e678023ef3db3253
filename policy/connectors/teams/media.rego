package graphveil.connectors.teams

import data.graphveil.shape

# METADATA
# title: media
# description: |
#   How well sound and picture came through. Nothing that tells one machine or
#   network from another: no address, no name of a device, no driver.
media := {
	"label": shape.keep,
	"calleeDevice": _device,
	"calleeNetwork": _network,
	"callerDevice": _device,
	"callerNetwork": _network,
	"streams": [_stream],
}

_device := {
	"captureDeviceDriver": shape.drop,
	"captureDeviceName": shape.drop,
	"captureNotFunctioningEventRatio": shape.keep,
	"cpuInsufficentEventRatio": shape.keep,
	"deviceClippingEventRatio": shape.keep,
	"deviceGlitchEventRatio": shape.keep,
	"howlingEventCount": shape.keep,
	"initialSignalLevelRootMeanSquare": shape.keep,
	"lowSpeechLevelEventRatio": shape.keep,
	"lowSpeechToNoiseEventRatio": shape.keep,
	"micGlitchRate": shape.keep,
	"receivedNoiseLevel": shape.keep,
	"receivedSignalLevel": shape.keep,
	"renderDeviceDriver": shape.drop,
	"renderDeviceName": shape.drop,
	"renderMuteEventRatio": shape.keep,
	"renderNotFunctioningEventRatio": shape.keep,
	"renderZeroVolumeEventRatio": shape.keep,
	"sentNoiseLevel": shape.keep,
	"sentSignalLevel": shape.keep,
	"speakerGlitchRate": shape.keep,
}

_network := {
	"bandwidthLowEventRatio": shape.keep,
	"basicServiceSetIdentifier": shape.drop,
	"connectionType": shape.keep,
	"delayEventRatio": shape.keep,
	"dnsSuffix": shape.drop,
	"ipAddress": shape.drop,
	"linkSpeed": shape.keep,
	"macAddress": shape.drop,
	"networkTransportProtocol": shape.keep,
	"port": shape.keep,
	"receivedQualityEventRatio": shape.keep,
	"reflexiveIPAddress": shape.drop,
	"relayIPAddress": shape.drop,
	"relayPort": shape.keep,
	"sentQualityEventRatio": shape.keep,
	"subnet": shape.drop,
	"traceRouteHops": [_hop],
	"wifiBand": shape.keep,
	"wifiBatteryCharge": shape.keep,
	"wifiChannel": shape.keep,
	"wifiMicrosoftDriver": shape.drop,
	"wifiMicrosoftDriverVersion": shape.drop,
	"wifiRadioType": shape.keep,
	"wifiSignalStrength": shape.keep,
	"wifiVendorDriver": shape.drop,
	"wifiVendorDriverVersion": shape.drop,
}

_hop := {
	"hopCount": shape.keep,
	"ipAddress": shape.drop,
	"roundTripTime": shape.keep,
}

_stream := {
	"audioCodec": shape.keep,
	"averageAudioDegradation": shape.keep,
	"averageAudioNetworkJitter": shape.keep,
	"averageBandwidthEstimate": shape.keep,
	"averageFreezeDuration": shape.keep,
	"averageJitter": shape.keep,
	"averagePacketLossRate": shape.keep,
	"averageRatioOfConcealedSamples": shape.keep,
	"averageReceivedFrameRate": shape.keep,
	"averageRoundTripTime": shape.keep,
	"averageVideoFrameLossPercentage": shape.keep,
	"averageVideoFrameRate": shape.keep,
	"averageVideoPacketLossRate": shape.keep,
	"endDateTime": shape.keep,
	"isAudioForwardErrorCorrectionUsed": shape.keep,
	"lowFrameRateRatio": shape.keep,
	"lowVideoProcessingCapabilityRatio": shape.keep,
	"maxAudioNetworkJitter": shape.keep,
	"maxJitter": shape.keep,
	"maxPacketLossRate": shape.keep,
	"maxRatioOfConcealedSamples": shape.keep,
	"maxRoundTripTime": shape.keep,
	"packetUtilization": shape.keep,
	"postForwardErrorCorrectionPacketLossRate": shape.keep,
	"rmsFreezeDuration": shape.keep,
	"startDateTime": shape.keep,
	"streamDirection": shape.keep,
	"streamId": shape.keep,
	"videoCodec": shape.keep,
	"wasMediaBypassed": shape.keep,
}
