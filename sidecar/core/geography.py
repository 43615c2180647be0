"""Where things are, and how far apart: on a sphere, which is exact to half a percent and knows no edges.

The coordinates of regions are those of the towns that the providers name, to a tenth of a degree, which is 11
kilometres: enough to tell which region is nearer.
"""

from math import asin, cos, radians, sin, sqrt
from typing import Final

Location = tuple[float, float]
"""Latitude and longitude in degrees, north and east positive."""

EARTH_RADIUS_KM: Final = 6371.0088
"""The mean radius (Moritz, "Geodetic Reference System 1980", 2000)."""
_LONGEST: Final = 64


def distance_km(one: Location, other: Location) -> float:
    """Along the great circle, by the haversine formula (Sinnott, "Virtues of the Haversine", 1984):
    2 R asin(sqrt(sin^2(dlat/2) + cos(lat1) cos(lat2) sin^2(dlon/2)))."""
    south, north = radians(one[0]), radians(other[0])
    across = sin((north - south) / 2.0)
    along = sin(radians(other[1] - one[1]) / 2.0)
    part = across * across + cos(south) * cos(north) * along * along
    return 2.0 * EARTH_RADIUS_KM * asin(sqrt(min(part, 1.0)))


def location_of(text: str) -> Location | None:
    """Of `41.88,-87.63`: latitude and longitude in degrees. None when it is anything else."""
    if len(text) > _LONGEST:
        return None
    latitude, comma, longitude = text.partition(",")
    if not comma:
        return None
    try:
        north, east = float(latitude), float(longitude)
    except ValueError:
        return None
    return (north, east) if on_earth((north, east)) else None


def on_earth(location: Location) -> bool:
    return -90.0 <= location[0] <= 90.0 and -180.0 <= location[1] <= 180.0


PLACES: Final[dict[str, Location]] = {
    # Amazon Web Services
    "af-south-1": (-33.9, 18.4),
    "ap-east-1": (22.3, 114.2),
    "ap-east-2": (25.0, 121.5),
    "ap-northeast-1": (35.7, 139.7),
    "ap-northeast-2": (37.6, 127.0),
    "ap-northeast-3": (34.7, 135.5),
    "ap-south-1": (19.1, 72.9),
    "ap-south-2": (17.4, 78.5),
    "ap-southeast-1": (1.3, 103.8),
    "ap-southeast-2": (-33.9, 151.2),
    "ap-southeast-3": (-6.2, 106.8),
    "ap-southeast-4": (-37.8, 145.0),
    "ap-southeast-5": (3.1, 101.7),
    "ap-southeast-7": (13.8, 100.5),
    "ca-central-1": (45.5, -73.6),
    "ca-west-1": (51.0, -114.1),
    "cn-north-1": (39.9, 116.4),
    "cn-northwest-1": (37.5, 105.2),
    "eu-central-1": (50.1, 8.7),
    "eu-central-2": (47.4, 8.5),
    "eu-north-1": (59.3, 18.1),
    "eu-south-1": (45.5, 9.2),
    "eu-south-2": (41.6, -0.9),
    "eu-west-1": (53.3, -6.3),
    "eu-west-2": (51.5, -0.1),
    "eu-west-3": (48.9, 2.3),
    "il-central-1": (32.1, 34.8),
    "me-central-1": (25.2, 55.3),
    "me-south-1": (26.1, 50.6),
    "mx-central-1": (20.6, -100.4),
    "sa-east-1": (-23.5, -46.6),
    "us-east-1": (39.0, -77.5),
    "us-east-2": (40.0, -83.0),
    "us-gov-east-1": (40.0, -83.0),
    "us-gov-west-1": (45.8, -119.7),
    "us-west-1": (37.4, -122.0),
    "us-west-2": (45.8, -119.7),
    # Google Cloud
    "africa-south1": (-26.2, 28.0),
    "asia-east1": (24.1, 120.5),
    "asia-east2": (22.3, 114.2),
    "asia-northeast1": (35.7, 139.7),
    "asia-northeast2": (34.7, 135.5),
    "asia-northeast3": (37.6, 127.0),
    "asia-south1": (19.1, 72.9),
    "asia-south2": (28.6, 77.2),
    "asia-southeast1": (1.3, 103.7),
    "asia-southeast2": (-6.2, 106.8),
    "australia-southeast1": (-33.9, 151.2),
    "australia-southeast2": (-37.8, 145.0),
    "europe-central2": (52.2, 21.0),
    "europe-north1": (60.6, 27.2),
    "europe-north2": (59.3, 18.1),
    "europe-southwest1": (40.4, -3.7),
    "europe-west1": (50.4, 3.8),
    "europe-west10": (52.5, 13.4),
    "europe-west12": (45.1, 7.7),
    "europe-west2": (51.5, -0.1),
    "europe-west3": (50.1, 8.7),
    "europe-west4": (53.4, 6.8),
    "europe-west6": (47.4, 8.5),
    "europe-west8": (45.5, 9.2),
    "europe-west9": (48.9, 2.3),
    "me-central1": (25.3, 51.5),
    "me-central2": (26.4, 50.1),
    "me-west1": (32.1, 34.8),
    "northamerica-northeast1": (45.5, -73.6),
    "northamerica-northeast2": (43.7, -79.4),
    "northamerica-south1": (20.6, -100.4),
    "southamerica-east1": (-23.5, -46.6),
    "southamerica-west1": (-33.4, -70.7),
    "us-central1": (41.3, -95.9),
    "us-east1": (33.2, -80.0),
    "us-east4": (39.0, -77.5),
    "us-east5": (40.0, -83.0),
    "us-south1": (32.8, -96.8),
    "us-west1": (45.6, -121.2),
    "us-west2": (34.1, -118.2),
    "us-west3": (40.8, -111.9),
    "us-west4": (36.2, -115.1),
    # Microsoft Azure
    "australiacentral": (-35.3, 149.1),
    "australiaeast": (-33.9, 151.2),
    "australiasoutheast": (-37.8, 145.0),
    "brazilsouth": (-23.5, -46.6),
    "canadacentral": (43.7, -79.4),
    "canadaeast": (46.8, -71.2),
    "centralindia": (18.6, 73.9),
    "centralus": (41.6, -93.6),
    "eastasia": (22.3, 114.2),
    "eastus": (37.4, -79.8),
    "eastus2": (36.7, -78.4),
    "francecentral": (46.4, 2.4),
    "germanywestcentral": (50.1, 8.7),
    "italynorth": (45.5, 9.2),
    "japaneast": (35.7, 139.8),
    "japanwest": (34.7, 135.5),
    "koreacentral": (37.6, 127.0),
    "koreasouth": (35.2, 129.0),
    "newzealandnorth": (-36.8, 174.8),
    "northcentralus": (41.9, -87.6),
    "northeurope": (53.3, -6.3),
    "norwayeast": (59.9, 10.8),
    "polandcentral": (52.2, 21.0),
    "qatarcentral": (25.6, 51.4),
    "southafricanorth": (-25.7, 28.2),
    "southcentralus": (29.4, -98.5),
    "southeastasia": (1.3, 103.8),
    "southindia": (13.0, 80.2),
    "spaincentral": (40.4, -3.7),
    "swedencentral": (60.7, 17.1),
    "switzerlandnorth": (47.5, 8.6),
    "uaenorth": (25.3, 55.3),
    "uksouth": (50.9, -0.8),
    "ukwest": (53.4, -3.1),
    "westcentralus": (40.9, -110.2),
    "westeurope": (52.4, 4.9),
    "westindia": (19.1, 72.9),
    "westus": (37.8, -122.4),
    "westus2": (47.2, -119.9),
    "westus3": (33.4, -112.1),
}
"""Regions of clouds by name."""
